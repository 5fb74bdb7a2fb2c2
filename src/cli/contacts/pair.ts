import { existsSync, writeFileSync } from "node:fs"
import type { ChatClient, Offer, Results } from "../../engine/api.ts"
import { codeOf, Fault } from "../../errors.ts"
import { diskFault } from "../../fs/disk-fault.ts"
import { readArmour } from "../../pairing/armour.ts"
import { parseCode } from "../../pairing/code.ts"
import { isInvitationLink } from "../../wire/invitation-link.ts"
import { parsePairingLink } from "../../wire/pairing-link.ts"
import { display, displayName, safe } from "../../wire/text.ts"
import { chat } from "../messages/chat.ts"
import { fourWords } from "./contacts.ts"
import type { Context } from "../terminal/context.ts"
import { readSmallText, readStdinText } from "../terminal/input.ts"
import { waitUntilOnline } from "../profile/connection-status.ts"
import { normalizedName } from "../terminal/names.ts"
import { askText, askYes } from "../terminal/prompts.ts"
import { showQr } from "../terminal/qr.ts"

/** An armoured bundle is about 2 kB, and more inside an email. */
const CARRIER_BYTES_MAX = 65_536
const LINK = /^\s*mqttchat:/
const ARMOUR = "-----BEGIN MQTTCHAT"
/** A code has none of these before its @. */
const PATH = /^[^@]*[./\\]/

type Paired = Results["pair-answer"]
export type Carrier = { readonly kind: Offer["kind"]; readonly offer: string }

export type PairOptions = {
  readonly link?: boolean
  readonly file?: string
  readonly words: 2 | 3
  /** False for --no-qr. */
  readonly qr: boolean
  readonly name?: string
  /** For another laptop of the same person. */
  readonly device?: boolean
}

/** The argument of `pair`: a code, a link, a file, or `-` for any of them on stdin. Fault `usage`. */
export async function readCarrier(typed: string): Promise<Carrier> {
  if (typed === "-") return classify(await readStdinText(CARRIER_BYTES_MAX))
  if (LINK.test(typed)) return classify(typed)
  if (existsSync(typed)) return classify(readSmallText(typed, CARRIER_BYTES_MAX))
  if (PATH.test(typed)) throw new Fault("not-found", `there is no file ${typed}`, "mqttchat pair FILE")
  return classify(typed)
}

/** Checks that the offer is whole before anything is made or sent. */
function classify(text: string): Carrier {
  if (isInvitationLink(text))
    throw new Fault("usage", "this is an invitation to a broker", "mqttchat register 'INVITATION'")
  if (LINK.test(text))
    return requireWhole({ kind: "link", offer: text.trim() }, parsePairingLink(text) !== undefined)
  if (text.includes(ARMOUR))
    return requireWhole({ kind: "file", offer: text }, readArmour(text) !== undefined)
  const parsed = parseCode(text)
  if (parsed.kind === "code") return { kind: "code", offer: text.trim() }
  const [, host] = text.trim().split("@")
  const suggestion =
    host === undefined ? parsed.suggestion : parsed.suggestion && `${parsed.suggestion}@${host}`
  throw new Fault(
    "usage",
    parsed.why,
    `mqttchat pair ${suggestion ?? "CODE@HOST, a link, or the name of a file"}`,
  )
}

function requireWhole(carrier: Carrier, isWhole: boolean): Carrier {
  if (isWhole) return carrier
  const hint =
    carrier.kind === "link" ? "copy all of it, in quotes: mqttchat pair 'LINK'" : "ask for it again"
  throw new Fault("bad-data", `this ${carrier.kind} is cut off or changed`, hint)
}

/** Our side of an offer: shows it and waits for the answer. A file is only written. */
export async function offerPairing(
  context: Context,
  client: ChatClient,
  options: PairOptions,
): Promise<void> {
  const kind = options.link === true ? "link" : options.file === undefined ? "code" : "file"
  await waitUntilOnline(context, client)
  const pairing = nextPairing(client)
  const { words: wordCount } = options
  const offer = await (options.device === true
    ? client.call("device-offer", { wordCount })
    : client.call("pair-offer", { kind, wordCount }))
  if (offer.kind === "file") {
    writeOffer(context, offer.file, options.file ?? "-")
    return
  }
  if (offer.kind === "code") context.lifetime.defer(() => cancel(client))
  await showOffer(context, offer, options)
  // stdout is lost: the offer was not shown, so there is no answer to wait for
  if (!(await context.out.flushed())) return
  const outcome = await pairing
  if (outcome instanceof Fault) throw outcome
  await finishPairing(context, client, { paired: outcome, name: options.name })
}

/** Our side of an answer. */
export async function answerPairing(
  context: Context,
  client: ChatClient,
  pairing: { readonly carrier: Carrier; readonly name: string | undefined },
): Promise<void> {
  const paired = await client.call("pair-answer", pairing.carrier)
  await finishPairing(context, client, { paired, name: pairing.name })
}

/** The pairing may fail while the offer is still being shown, so a failure is a value. */
function nextPairing(client: ChatClient): Promise<Paired | Fault> {
  return new Promise((resolve) => {
    const stop = client.listen((event) => {
      if (event.kind !== "paired" && event.kind !== "pair-failed") return
      stop()
      resolve(event.kind === "paired" ? event : new Fault("refused", event.reason, event.hint))
    })
  })
}

/** There is nothing to cancel once it is paired, or if the engine that offered it has ended. */
async function cancel(client: ChatClient): Promise<void> {
  await client.call("pair-cancel", {}).catch((cause: unknown) => {
    if (!(cause instanceof Fault)) throw cause
  })
}

async function showOffer(
  { out }: Context,
  offer: Exclude<Offer, { kind: "file" }>,
  { qr }: Pick<PairOptions, "qr">,
): Promise<void> {
  const carrier = offer.kind === "link" ? offer.link : `${offer.code}@${offer.address}`
  if (out.json) {
    out.record("mqttchat/offer/1", { ...offer, offer: carrier })
    return
  }
  out.info(safe`On the other laptop run:\n`)
  out.data(safe`    mqttchat pair ${display(offer.kind === "link" ? `'${carrier}'` : carrier)}`)
  out.info(safe``)
  if (offer.kind === "link" && qr) await showQr(carrier)
  const minutes = Math.round((offer.expiresAt - Date.now()) / 60_000)
  const goodFor = minutes > 60 ? safe`${Math.round(minutes / 60)} hours` : safe`${minutes} minutes`
  if (offer.kind === "code") out.info(safe`Waiting: the code is good for one try, ${goodFor}. Ctrl+C cancels`)
  else
    out.info(
      safe`Waiting: the link is good for one person, ${goodFor}, also after Ctrl+C whenever mqttchat runs here`,
    )
}

function writeOffer({ out }: Context, text: string, path: string): void {
  if (path === "-") {
    for (const row of text.trimEnd().split("\n")) out.data(display(row))
    return
  }
  try {
    writeFileSync(path, text, { flag: "wx", mode: 0o600 })
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") {
      throw new Fault("exists", `${path} exists already`, "mqttchat pair --file OTHER", cause)
    }
    throw diskFault(cause, `write ${path}`)
  }
  out.done(safe`written to ${display(path)}: the first who uses it can pair with you, so hand it over safely`)
  out.info(safe`on the other laptop: mqttchat pair ${display(path)}`)
}

/** Shows name and four words, and asks whether they are the same on both sides. */
async function finishPairing(
  context: Context,
  client: ChatClient,
  pairing: { readonly paired: Paired; readonly name: string | undefined },
): Promise<void> {
  const { out } = context
  const { words, known, renamedFrom } = pairing.paired
  const contact = await nameContact(context, client, pairing)
  if (out.json) out.report.record("mqttchat/paired/1", { contact, words, known, renamedFrom })
  else out.report.data(fourWords(contact.name, words))
  if (known)
    out.info(safe`${displayName(contact.name)} was a contact before; the keys of the conversation are new`)
  const name = displayName(contact.name)
  if (renamedFrom !== null) {
    const old = displayName(renamedFrom)
    out.info(safe`if this is the ${old} you know, with new keys: mqttchat contacts replace ${old} ${name}`)
  }
  if (!context.isInteractive || !(await out.flushed())) {
    out.next(
      safe`${name} is UNVERIFIED. The same four words on both sides? then: mqttchat verify ${name} --yes`,
    )
    return
  }
  const verified = await compareWords(context, client, contact.name)
  if (!verified) {
    out.next(safe`${name} stays UNVERIFIED. When you have compared: mqttchat verify ${name}`)
    return
  }
  out.done(safe`${name} is VERIFIED`)
  const chatNow = { message: safe`Open the chat now?`, suggested: true, flag: "--no-input" }
  if (process.stdout.isTTY && (await askYes(context, chatNow))) {
    await chat(context, client, { contact: contact.name, plain: false })
  }
}

/** Asks whether the words are the same. A contact whose words differ is blocked: Fault `refused`. */
async function compareWords(context: Context, client: ChatClient, contact: string): Promise<boolean> {
  const flag = "--no-input"
  const sameQuestion = { message: safe`Do you both see the same four words?`, suggested: false, flag }
  if (await askYes(context, sameQuestion)) {
    await client.call("mark-verified", { contact, verified: true })
    return true
  }
  // Enter alone does not mean that they differ.
  const name = displayName(contact)
  const differentQuestion = {
    message: safe`Did you compare them, and they differ? Then ${name} is blocked.`,
    suggested: false,
    flag,
  }
  if (!(await askYes(context, differentQuestion))) return false
  await client.call("block", { contact, blocked: true })
  const why = `what you compared differs: ${contact} is not who you think, or someone is in between; blocked`
  throw new Fault("refused", why, `mqttchat contacts forget ${contact}, then pair again`)
}

/** Asks for another name if a contact already has this one. */
async function nameContact(
  context: Context,
  client: ChatClient,
  { paired, name }: { readonly paired: Paired; readonly name: string | undefined },
): Promise<Paired["contact"]> {
  const { contact, renamedFrom } = paired
  if (name !== undefined) return client.call("rename", { contact: contact.name, name: normalizedName(name) })
  if (renamedFrom === null || !context.isInteractive) return contact
  const message = safe`You have a contact named ${displayName(renamedFrom)}. Name for this one:`
  const to = await askText(context, { message, suggested: contact.name, flag: "--name NAME" })
  return to === contact.name
    ? contact
    : client.call("rename", { contact: contact.name, name: normalizedName(to) })
}
