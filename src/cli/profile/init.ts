import { userInfo } from "node:os"
import { toBase64url } from "../../crypto/bytes.ts"
import { systemRandom } from "../../crypto/random.ts"
import { Fault } from "../../errors.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import { createKeyRing } from "../../keystore/keyfile.ts"
import { connectAsker } from "../../daemon/client.ts"
import { lockHolder } from "../../fs/lock-file.ts"
import type { Settings } from "../../settings.ts"
import { placesOf } from "../../chat/contacts/whereabouts.ts"
import { settingsOf } from "./broker-settings.ts"
import { parseAddresses } from "../../wire/address.ts"
import { decodeInvitation } from "../../wire/registration.ts"
import type { InvitationLink } from "../../wire/invitation-link.ts"
import { readInvitation } from "./invitation.ts"
import { display, safe } from "../../wire/text.ts"
import { ID_BYTES } from "../../wire/topics.ts"
import type { Context } from "../context.ts"
import { properName } from "../names.ts"
import { givenPassphrase, newPassphrase, PASSPHRASE_FLAG } from "../passphrase.ts"
import { askChoice, askText } from "../prompts.ts"
import { makeProfile, refuseSecond } from "./profile.ts"
import { passwordFrom } from "../pubsub.ts"

const PIN_SEPARATORS = /[\s:.-]/g
const PIN = /^[0-9a-f]{32}$/

export type InitOptions = {
  readonly name?: string
  /** False for --no-passphrase. */
  readonly passphrase: boolean
  /** `here`, `later` or HOST[:PORT], with commas between the nodes of one broker. */
  readonly broker?: string
  readonly pin?: string
  readonly username?: string
  readonly passwordFile?: string
}

/** Makes a profile: identity, database key and where its broker is. Fault `exists` if there is one. */
export async function init(context: Context, options: InitOptions): Promise<void> {
  refuseSecond(context, "init")
  const name = await chosenName(context, options.name)
  const passphrase = await chosenPassphrase(context, options)
  const home = chosenHome(await chosenBroker(context, options), options)
  await makeNew(context, { name, passphrase, home })
  await tellNext(context, home.settings.here, home.settings.broker !== undefined)
}

/** The short way on the side of `pair`: the broker comes with the pairing. */
export async function initOnTheWay(
  context: Context,
  options: { readonly name?: string; readonly passphrase: boolean },
): Promise<void> {
  context.out.say(safe`no identity yet in the profile ${display(context.profile)}: making one`)
  const name = await chosenName(context, options.name)
  const passphrase = await chosenPassphrase(context, options)
  await makeNew(context, { name, passphrase, home: { settings: { here: false }, credential: undefined } })
}

type Home = {
  readonly settings: Omit<Settings, "name">
  readonly credential: StoredCredential | undefined
}

async function makeNew(
  context: Context,
  wish: { readonly name: string; readonly passphrase: string; readonly home: Home },
): Promise<void> {
  const { settings, credential } = wish.home
  await makeProfile(context, {
    by: "init",
    settings: { ...settings, name: wish.name },
    ring: { ...createKeyRing(systemRandom), credential },
    passphrase: wish.passphrase,
    fill: () => Promise.resolve(),
  })
}

async function chosenName(context: Context, given: string | undefined): Promise<string> {
  const suggested = userInfo().username
  const message = safe`Your name (what contacts see):`
  const asked =
    given ?? (context.mayAsk ? await askText(context, { message, suggested, flag: "--name" }) : suggested)
  return properName(asked)
}

async function chosenPassphrase(context: Context, { passphrase }: { passphrase: boolean }): Promise<string> {
  return passphrase
    ? (givenPassphrase(context) ?? (await newPassphrase(context, `${PASSPHRASE_FLAG}, or --no-passphrase`)))
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

function chosenHome(broker: string, options: InitOptions): Home {
  if (broker === "here" || broker === "later") {
    return { settings: { here: broker === "here" }, credential: undefined }
  }
  const invited = readInvitation(broker)
  if (invited !== undefined) return invitedHome(invited)
  const [address, ...others] = parseAddresses(broker) ?? []
  if (address === undefined) {
    throw new Fault("usage", `${broker} is no address of a broker`, "mqttchat init --broker HOST[:PORT]")
  }
  const nodes = { ...address, ...(others.length === 0 ? {} : { others }) }
  return {
    settings: { here: false, broker: { ...nodes, trust: trustOf(options.pin) } },
    credential: accountOf(options),
  }
}

/** The invitation is used when this profile connects first. */
function invitedHome({ address: door, proof: trust, invitation, members }: InvitationLink): Home {
  const registrar = decodeInvitation(invitation)?.registrar
  const places = placesOf(door, members === undefined ? {} : { members })
  const broker = { ...places, trust, ...(registrar === undefined ? {} : { registrar }) }
  return {
    settings: { here: false, broker: settingsOf(broker) },
    credential: { kind: "invitation", bytes: invitation },
  }
}

function trustOf(pin: string | undefined): NonNullable<Settings["broker"]>["trust"] {
  if (pin === undefined) return { kind: "name" }
  const hex = pin.replaceAll(PIN_SEPARATORS, "").toLowerCase()
  if (PIN.test(hex)) return { kind: "pin", pin: hex }
  throw new Fault("usage", "a pin is 32 hexadecimal digits", "ask the person who runs the broker for it")
}

/** A broker of others knows us by an account or not at all; the device id is then our own choice. */
function accountOf({ username, passwordFile }: InitOptions): StoredCredential {
  if (passwordFile !== undefined && username === undefined) {
    throw new Fault("usage", "a password needs a user name", "mqttchat init --username NAME")
  }
  return {
    kind: "account",
    deviceId: toBase64url(systemRandom(ID_BYTES)),
    ...(username === undefined ? {} : { username }),
    ...(passwordFile === undefined ? {} : { password: passwordFrom(passwordFile) }),
  }
}

async function tellNext({ out, paths }: Context, here: boolean, there: boolean): Promise<void> {
  if (!here) {
    out.next(
      there
        ? safe`next: mqttchat pair`
        : safe`next: mqttchat pair CODE, with a code from somebody who has a broker`,
    )
    return
  }
  const running = await connectAsker(paths.brokerSocket)
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
