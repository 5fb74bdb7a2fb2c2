import { existsSync, rmSync } from "node:fs"
import { userInfo } from "node:os"
import { toBase64url, toHex } from "../crypto/bytes.ts"
import { systemRandom } from "../crypto/random.ts"
import { Fault } from "../errors.ts"
import { createIdentity } from "../keystore/identity.ts"
import type { StoredCredential } from "../keystore/credential.ts"
import { createKeyFile } from "../keystore/keyfile.ts"
import { takeLock } from "../lock.ts"
import { type Settings, writeSettings } from "../settings.ts"
import { placesOf } from "../chat/whereabouts.ts"
import { settingsOf } from "./broker-settings.ts"
import { parseAddresses } from "../wire/address.ts"
import { decodeInvitation } from "../wire/registration.ts"
import type { InvitationLine } from "../wire/invitation-line.ts"
import { readInvitation } from "./invitation.ts"
import { fingerprint } from "../wire/identity.ts"
import { display, displayName, safe } from "../wire/text.ts"
import { ID_BYTES } from "../wire/topics.ts"
import type { Context } from "./context.ts"
import { properName } from "./names.ts"
import { givenPassphrase, newPassphrase, PASSPHRASE_FLAG } from "./passphrase.ts"
import { askChoice, askText } from "./prompts.ts"
import { passwordFrom } from "./pubsub.ts"
import { grouped } from "./rows.ts"

const DATABASE_KEY_BYTES = 32
/** As contacts show it. */
const FINGERPRINT_DIGITS = 20
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
  refuseSecond(context)
  const name = await chosenName(context, options.name)
  const passphrase = await chosenPassphrase(context, options)
  const home = chosenHome(await chosenBroker(context, options), options)
  await makeProfile(context, { name, passphrase, home })
  tellNext(context, home.settings.here, home.settings.broker !== undefined)
}

/** The short way on the side of `pair`: the broker comes with the pairing. */
export async function initOnTheWay(
  context: Context,
  options: { readonly name?: string; readonly passphrase: boolean },
): Promise<void> {
  context.out.say(safe`no identity yet in the profile ${display(context.profile)}: making one`)
  const name = await chosenName(context, options.name)
  const passphrase = await chosenPassphrase(context, options)
  await makeProfile(context, { name, passphrase, home: { settings: { here: false }, credential: undefined } })
}

export function hasProfile({ paths }: Context): boolean {
  return existsSync(paths.keyFile)
}

type Home = {
  readonly settings: Omit<Settings, "name">
  readonly credential: StoredCredential | undefined
}

/** The key file is written last, and only where none is: whoever dies before can begin again. */
async function makeProfile(
  context: Context,
  wish: { readonly name: string; readonly passphrase: string; readonly home: Home },
): Promise<void> {
  const { paths, out } = context
  const lock = takeLock(paths.lock)
  if (lock.kind === "held")
    throw new Fault("exists", "another init is making this profile", "mqttchat status")
  try {
    refuseSecond(context)
    const { settings, credential } = wish.home
    const identity = createIdentity(systemRandom)
    await writeSettings(paths.settings, { ...settings, name: wish.name })
    const ring = { identity, databaseKey: systemRandom(DATABASE_KEY_BYTES), credential }
    await makeStore(paths.database, ring.databaseKey)
    await createKeyFile(paths.keyFile, ring, wish.passphrase, systemRandom)
    out.done(
      safe`keys made        ${display(paths.keyFile)}${wish.passphrase === "" ? safe`` : safe`, locked`}`,
    )
    const print = grouped(toHex(fingerprint(identity.public)).slice(0, FINGERPRINT_DIGITS))
    if (out.json)
      out.record("mqttchat/profile/1", { name: wish.name, fingerprint: print.replaceAll(" ", "") })
    else out.data(safe`${displayName(wish.name)}  ${print}`)
  } finally {
    lock.release()
  }
}

/** The store is made here and nowhere else, so that one that is gone later is noticed, not made anew in silence. */
async function makeStore(path: string, key: Uint8Array): Promise<void> {
  // Of an init that died before its key file was written: nobody can open it.
  for (const suffix of ["", "-wal"]) rmSync(path + suffix, { force: true })
  const { openStore } = await import("../store/store.ts")
  const store = await openStore(path, key)
  await store.close()
}

function refuseSecond(context: Context): void {
  if (!hasProfile(context)) return
  const message = `the profile ${context.profile} exists already (${context.paths.keyFile}) and is never overwritten`
  throw new Fault("exists", message, "mqttchat --profile OTHER init")
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
function invitedHome({ address: door, proof: trust, invitation, members }: InvitationLine): Home {
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

function tellNext({ out, paths }: Context, here: boolean, there: boolean): void {
  if (!here) {
    out.next(
      there
        ? safe`next: mqttchat pair`
        : safe`next: mqttchat pair CODE, with a code from somebody who has a broker`,
    )
    return
  }
  const lock = takeLock(paths.brokerLock)
  if (lock.kind === "held") {
    out.next(safe`your broker is running (process ${lock.pid})\nnext: mqttchat pair`)
    return
  }
  lock.release()
  out.next(safe`no broker is running yet; start it in another terminal: mqttchat broker`)
  out.next(safe`then: mqttchat pair`)
}
