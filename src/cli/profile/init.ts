import { toHex } from "../../crypto/bytes.ts"
import { systemRandom } from "../../crypto/random.ts"
import { Fault } from "../../errors.ts"
import { userName } from "../../os-user.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import { createKeyRing } from "../../keystore/keyfile.ts"
import { connectRpc } from "../../daemon/client.ts"
import { lockHolder } from "../../fs/lock-file.ts"
import type { Settings } from "../../settings.ts"
import { addressesFrom } from "../../engine/connection/broker-addresses.ts"
import { type AccountOptions, chosenAccount } from "./broker-account.ts"
import { findBroker, type FoundBroker, typedAddresses, typedPin, warnIfSilent } from "./broker-proof.ts"
import { settingsOf } from "./broker-settings.ts"
import {
  findInsecureBroker,
  insecureAddresses,
  refuseContradictions,
  warnInsecure,
} from "./insecure-transport.ts"
import type { BrokerProof } from "../../wire/access.ts"
import { type Addresses, formatAddresses } from "../../wire/address.ts"
import { decodeInvitation } from "../../wire/registration.ts"
import type { InvitationLink } from "../../wire/invitation-link.ts"
import { readInvitation } from "./invitation.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { normalizedName } from "../terminal/names.ts"
import { givenPassphrase, newPassphrase, PASSPHRASE_FLAG } from "../terminal/passphrase.ts"
import { askChoice, askText } from "../terminal/prompts.ts"
import { silentBroker } from "../terminal/silent-process.ts"
import { makeProfile, refuseExisting } from "./profile.ts"
import { shellCommand } from "../../shell-command.ts"

export type InitOptions = {
  readonly name?: string
  /** False for --no-passphrase. */
  readonly passphrase: boolean
  /** `here`, `later` or HOST[:PORT], with commas between the nodes of one broker. */
  readonly broker?: string
  readonly pin?: string
  /** The broker at HOST has no TLS, and the user wants it all the same. */
  readonly insecureTransport?: boolean
  /** Only make an empty message store for the keys that are there. */
  readonly newDatabase?: boolean
} & AccountOptions

/** Makes a profile: identity, database key and where its broker is. Fault `exists` if there is one. */
export async function init(context: Context, options: InitOptions): Promise<void> {
  if (options.newDatabase === true) return (await import("./new-database.ts")).newDatabase(context)
  refuseExisting(context, "init", isAddress(options.broker))
  const name = await chosenName(context, options.name)
  const passphrase = await chosenPassphrase(context, options)
  const initialBroker = await initialBrokerOf(context, await chosenBroker(context, options), options)
  await createProfile(context, { name, passphrase, initialBroker })
  await printNextStep(context, initialBroker.settings.here, initialBroker.settings.broker !== undefined)
}

function isAddress(broker: string | undefined): boolean {
  return broker !== undefined && broker !== "here" && broker !== "later"
}

/** A short init for `pair` and `register`: the broker comes with the pairing or the invitation. */
export async function initForPairing(
  context: Context,
  options: { readonly name?: string; readonly passphrase: boolean },
): Promise<void> {
  context.out.info(safe`no identity yet in the profile ${display(context.profile)}: making one`)
  const name = await chosenName(context, options.name)
  const passphrase = await chosenPassphrase(context, options)
  await createProfile(context, {
    name,
    passphrase,
    initialBroker: { settings: { here: false }, credential: undefined },
  })
}

type InitialBroker = {
  readonly settings: Omit<Settings, "name">
  readonly credential: StoredCredential | undefined
}

async function createProfile(
  context: Context,
  choices: { readonly name: string; readonly passphrase: string; readonly initialBroker: InitialBroker },
): Promise<void> {
  const { settings, credential } = choices.initialBroker
  await makeProfile(context, {
    by: "init",
    settings: { ...settings, name: choices.name },
    ring: { ...createKeyRing(systemRandom), credential },
    passphrase: choices.passphrase,
    fill: () => Promise.resolve(),
  })
}

async function chosenName(context: Context, given: string | undefined): Promise<string> {
  const suggested = userName(context.env) ?? ""
  const message = safe`Your name (what contacts see):`
  const asked =
    given ??
    (context.isInteractive ? await askText(context, { message, suggested, flag: "--name" }) : suggested)
  if (asked === "") throw new Fault("usage", "this user has no name to suggest", "mqttchat init --name NAME")
  return normalizedName(asked)
}

async function chosenPassphrase(context: Context, { passphrase }: { passphrase: boolean }): Promise<string> {
  return passphrase
    ? ((await givenPassphrase(context)) ??
        (await newPassphrase(context, `${PASSPHRASE_FLAG}, or --no-passphrase`)))
    : ""
}

async function chosenBroker(context: Context, { broker }: InitOptions): Promise<string> {
  if (broker !== undefined) return broker
  const chosen = await askChoice(context, {
    message: safe`Where is your broker?`,
    first: { name: safe`Run one on this laptop   (for people on one network)`, value: "here" },
    others: [
      { name: safe`A broker I already have  (host[:port])`, value: "there" },
      { name: safe`Decide later             (or get it by pairing)`, value: "later" },
    ],
    flag: "--broker here, HOST[:PORT] or later",
  })
  if (chosen !== "there") return chosen
  return askText(context, {
    message: safe`Its address:`,
    suggested: "localhost",
    flag: "--broker HOST[:PORT]",
  })
}

async function initialBrokerOf(
  context: Context,
  broker: string,
  options: InitOptions,
): Promise<InitialBroker> {
  refuseContradictions(broker, options, "mqttchat init --broker")
  if (broker === "here" || broker === "later") {
    return { settings: { here: broker === "here" }, credential: undefined }
  }
  const invitation = readInvitation(broker)
  if (invitation !== undefined) return invitedBroker(context, invitation, options)
  const isInsecure = options.insecureTransport === true
  const addresses = (isInsecure ? insecureAddresses : typedAddresses)(broker, "mqttchat init --broker")
  if (isInsecure) warnInsecure(context)
  const credential = await chosenAccount(context, options)
  const found = isInsecure
    ? await findInsecureBroker(context, addresses)
    : await findTlsBroker(context, addresses, options)
  const [address, ...others] = addresses
  const nodes = { ...address, ...(others.length === 0 ? {} : { others }) }
  return { settings: { here: false, broker: { ...nodes, trust: trustOf(found.proof) } }, credential }
}

async function findTlsBroker(
  context: Context,
  addresses: Addresses,
  options: InitOptions,
): Promise<FoundBroker> {
  const pin = typedPin(options.pin)
  const withPin = shellCommand`mqttchat init --broker ${formatAddresses(addresses)} --pin`
  const found = await findBroker(context, { addresses, pin, withPin })
  warnIfSilent(context, addresses, found)
  return found
}

/** The invitation is used when this profile connects first. */
async function invitedBroker(
  context: Context,
  { address: primary, proof, invitation, members }: InvitationLink,
  options: InitOptions,
): Promise<InitialBroker> {
  const pin = typedPin(options.pin) ?? (proof.kind === "pin" ? proof.pin : undefined)
  const addresses: Addresses = [primary]
  const found = await findBroker(context, {
    addresses,
    pin,
    withPin: "mqttchat init --broker INVITATION --pin",
  })
  warnIfSilent(context, addresses, found)
  const registrar = decodeInvitation(invitation)?.registrar
  const nodes = addressesFrom(primary, members === undefined ? {} : { members })
  const broker = { ...nodes, trust: found.proof, ...(registrar === undefined ? {} : { registrar }) }
  return {
    settings: { here: false, broker: settingsOf(broker) },
    credential: { kind: "invitation", bytes: invitation },
  }
}

function trustOf(proof: BrokerProof): NonNullable<Settings["broker"]>["trust"] {
  return proof.kind === "pin" ? { kind: "pin", pin: toHex(proof.pin) } : proof
}

async function printNextStep(
  { out, paths, debug }: Context,
  isHere: boolean,
  hasBroker: boolean,
): Promise<void> {
  if (!isHere) {
    out.next(
      hasBroker
        ? safe`next: mqttchat pair`
        : safe`next: mqttchat pair CODE, with a code from someone who has a broker`,
    )
    return
  }
  const running = await connectRpc(paths.brokerSocket, "broker", { debug, silence: silentBroker(paths) })
  if (running !== undefined) {
    await running.close()
    out.next(safe`your broker is running\nnext: mqttchat pair`)
    return
  }
  const starting = lockHolder(paths.brokerLock)
  if (starting !== undefined) {
    out.next(safe`your broker is starting (process ${starting}); see what it asks in its terminal`)
    out.next(safe`then: mqttchat pair`)
    return
  }
  out.next(safe`no broker is running yet; start it in another terminal: mqttchat broker`)
  out.next(safe`then: mqttchat pair`)
}
