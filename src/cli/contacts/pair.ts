import { existsSync } from "node:fs"
import { dirname, resolve } from "node:path"
import type { ChatClient, Contact, Event, Offer, Results } from "../../engine/api.ts"
import { checkTransport, type TransportChoice } from "../../engine/pairing/transport-choice.ts"
import { Fault } from "../../errors.ts"
import { createFile } from "../../fs/atomic-file.ts"
import { readArmour } from "../../pairing/armour.ts"
import { parseCode } from "../../pairing/code.ts"
import { refuseEarlierOffer } from "../../pairing/earlier-offer.ts"
import { isInvitationLink } from "../../wire/invitation-link.ts"
import { parsePairingLink } from "../../wire/pairing-link.ts"
import { display, displayName, safe, type SafeText } from "../../wire/text.ts"
import { chat } from "../messages/chat.ts"
import { renameAndWarn } from "./contacts.ts"
import { lifeOf } from "./offers.ts"
import { awaitWords, fourWords, unlessRejected, wordsToCome } from "./words.ts"
import type { Context } from "../terminal/context.ts"
import type { Output } from "../terminal/output.ts"
import { readSmallText, readStdinText } from "../terminal/input.ts"
import { waitUntilOnline } from "../profile/connection-status.ts"
import { markedName } from "../terminal/format.ts"
import { askText, askYes } from "../terminal/prompts.ts"
import { showQr } from "../terminal/qr.ts"
import { shellCommand } from "../../shell-command.ts"

/** An armoured bundle is about 2 kB, and more inside an email. */
const CARRIER_BYTES_MAX = 65_536
const LINK = /^\s*mqttchat:/
const ARMOUR = "-----BEGIN MQTTCHAT"
/** A code has none of these before its @. */
const PATH = /^[^@]*[./\\]/

const DEVICE_NOTE = safe`That laptop gets keys of its own: another device of yours at the broker, and a contact of this laptop.
It gets no contacts and no conversations. To move everything instead: mqttchat export FILE`

type Paired = Results["pair-answer"]
export type Carrier = { readonly kind: Offer["kind"]; readonly offer: string }

type Linked = Carrier & { readonly kind: "link" | "file" }

export type PairOptions = {
  readonly link?: boolean
  readonly file?: string
  readonly words: 2 | 3
  /** False for --no-qr. */
  readonly qr: boolean
  readonly name?: string
  /** For another laptop of the same person. */
  readonly device?: boolean
  /** The user asks for a broker without TLS. */
  readonly insecureTransport?: boolean
  /** How long to wait for a broker that is new here, in milliseconds. */
  readonly timeout?: number
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
    suggestion === undefined
      ? "mqttchat pair CODE@HOST, a link, or the name of a file"
      : shellCommand`mqttchat pair ${suggestion}`,
  )
}

function requireWhole(carrier: Linked, isWhole: boolean): Carrier {
  if (isWhole) return carrier
  refuseEarlierOffer(carrier.kind, carrier.offer)
  const hint =
    carrier.kind === "link" ? "copy all of it, in quotes: mqttchat pair 'LINK'" : "ask for it again"
  throw new Fault("bad-data", `this ${carrier.kind} is cut off or changed`, hint)
}

/** What can be known before a profile is made: whether a link or file is for a broker of the kind that the user typed. */
export function checkCarrier({ kind, offer }: Carrier, transport: TransportChoice): void {
  if (kind === "code") return
  const proof = kind === "link" ? parsePairingLink(offer)?.proof : readArmour(offer)?.access.proof
  if (proof !== undefined) checkTransport(proof, transport)
}

/** Our side of an offer: shows it and waits for the answer. A file is only written. */
export async function offerPairing(
  context: Context,
  client: ChatClient,
  options: PairOptions,
): Promise<void> {
  const kind = options.link === true ? "link" : options.file === undefined ? "code" : "file"
  await waitUntilOnline(context, client)
  const { insecureTransport } = await client.call("status", {})
  if (options.insecureTransport === true && !insecureTransport) throw hasTls()
  const pairing = watchPairings(context, client)
  const { words: wordCount } = options
  const offer = await (options.device === true
    ? client.call("device-offer", { wordCount })
    : client.call("pair-offer", { kind, wordCount }))
  if (offer.kind === "file") {
    await writeOffer(context, offer, { path: options.file ?? "-", insecureTransport })
    return
  }
  if (offer.kind === "code") context.lifetime.defer(() => cancel(client, offer.id))
  await showOffer(context, offer, { ...options, insecureTransport })
  if (options.device === true) context.out.info(DEVICE_NOTE)
  // stdout is lost: the offer was not shown, so there is no answer to wait for
  if (!(await context.out.flushed())) return
  const outcome = await pairing.outcomeOf(offer.id)
  if (outcome instanceof Fault) throw outcome
  await finishPairing(context, client, { paired: outcome, name: options.name })
}

/** Our side of an answer. */
export async function answerPairing(
  context: Context,
  client: ChatClient,
  pairing: {
    readonly carrier: Carrier
    readonly name: string | undefined
    readonly transport: TransportChoice
  },
): Promise<void> {
  const { carrier, transport } = pairing
  const { insecure: insecureTransport, timeoutMs } = transport
  const timeout = timeoutMs === undefined ? {} : { timeoutMs }
  const paired = await client.call("pair-answer", { ...carrier, insecureTransport, ...timeout })
  await finishPairing(context, client, { paired, name: pairing.name })
}

function hasTls(): Fault {
  return new Fault("usage", "this profile's broker has TLS", "mqttchat pair, without --insecure-transport")
}

type PairingEvent = Extract<Event, { kind: "paired" | "pair-answered" | "pair-guessed" | "pair-failed" }>

/** Other offers of this profile may be answered meanwhile, and ours while it is still being shown. */
function watchPairings(
  { out }: Context,
  client: ChatClient,
): { readonly outcomeOf: (offer: string) => Promise<Paired | Fault> } {
  const earlier: PairingEvent[] = []
  let receive = (event: PairingEvent): void => void earlier.push(event)
  const stop = client.listen((event) => {
    if (isPairingEvent(event)) receive(event)
  })
  return {
    outcomeOf: (offer) =>
      new Promise((resolve) => {
        receive = (event) => {
          const outcome = event.offer === offer ? outcomeFrom(out, event) : undefined
          if (outcome === undefined) return
          stop()
          resolve(outcome)
        }
        for (const event of earlier) receive(event)
      }),
  }
}

function isPairingEvent(event: Event): event is PairingEvent {
  return ["paired", "pair-answered", "pair-guessed", "pair-failed"].includes(event.kind)
}

/** A failure is a value: it may come before anyone waits for it. */
function outcomeFrom(out: Output, event: PairingEvent): Paired | Fault | undefined {
  switch (event.kind) {
    case "paired": {
      const { contact, words, renamedFrom, confusableWith, known } = event
      return { contact, words, renamedFrom, confusableWith, known }
    }
    case "pair-failed":
      return new Fault("refused", event.reason, event.hint)
    case "pair-answered":
      out.info(safe`Someone has answered: checking whether they have the code`)
      return undefined
    case "pair-guessed":
      out.warn(safe`That was another code. Yours is still valid, for ${event.left} more wrong answers`)
      return undefined
  }
}

/** There is nothing to cancel once it is paired, or if the engine that offered it has ended. */
async function cancel(client: ChatClient, id: string): Promise<void> {
  await client.call("pair-cancel", { id }).catch((cause: unknown) => {
    if (!(cause instanceof Fault)) throw cause
  })
}

/** What to type on the other laptop. */
function pairCommand(carrier: string, insecureTransport: boolean): SafeText {
  return display(
    insecureTransport
      ? shellCommand`mqttchat pair --insecure-transport ${carrier}`
      : shellCommand`mqttchat pair ${carrier}`,
  )
}

/** How an offer is shown. */
type Shown = Pick<PairOptions, "qr" | "words"> & { readonly insecureTransport: boolean }

async function showOffer(
  { out }: Context,
  offer: Exclude<Offer, { kind: "file" }>,
  { qr, words, insecureTransport }: Shown,
): Promise<void> {
  const carrier = offer.kind === "link" ? offer.link : `${offer.code}@${offer.address}`
  if (out.json) {
    out.record("mqttchat/offer/1", { ...offer, offer: carrier, insecureTransport })
    return
  }
  out.info(safe`On the other laptop run:\n`)
  out.data(safe`    ${pairCommand(carrier, insecureTransport)}`)
  out.info(safe``)
  if (offer.kind === "link" && qr && !out.ascii) await showQr(carrier)
  out.info(offer.kind === "code" ? codeNotice(offer, words) : linkNotice(offer))
}

/** A longer code than was asked for is the engine's answer to guesses. */
function codeNotice({ code, expiresAt }: Extract<Offer, { kind: "code" }>, words: 2 | 3): SafeText {
  const goodFor = lifeOf(expiresAt)
  const isShort = code.split("-").length === 3
  if (isShort) return safe`Waiting: the code is good for one try, ${goodFor}. Ctrl+C cancels`
  const why =
    words === 2
      ? safe`The code has three words: others were answered with wrong ones in the last hour.\n`
      : safe``
  return safe`${why}Waiting: the code is good for one person, ${goodFor}. Ctrl+C cancels`
}

function linkNotice({ id, expiresAt }: Extract<Offer, { kind: "link" }>): SafeText {
  const life = safe`${lifeOf(expiresAt)}, also after Ctrl+C whenever mqttchat runs here`
  return safe`Waiting: the link is good for one person, ${life}.\nTo end it: ${shellCommand`mqttchat pair --cancel ${id}`}`
}

/** It may be taken away on a stick as soon as it is said to be written. */
async function createOfferFile(path: string, text: string): Promise<void> {
  if (!existsSync(dirname(path)))
    throw new Fault("not-found", `there is no folder ${dirname(path)}`, shellCommand`mkdir ${dirname(path)}`)
  try {
    await createFile(path, Buffer.from(text))
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== "exists") throw cause
    throw new Fault("exists", `${path} exists already`, "mqttchat pair --file OTHER", cause)
  }
}

async function writeOffer(
  { out }: Context,
  offer: Extract<Offer, { kind: "file" }>,
  { path, insecureTransport }: { readonly path: string; readonly insecureTransport: boolean },
): Promise<void> {
  const { file: text, id } = offer
  if (path === "-") {
    for (const row of text.trimEnd().split("\n")) out.data(display(row))
    return
  }
  await createOfferFile(resolve(path), text)
  out.done(safe`written to ${display(path)}: the first who uses it can pair with you, so hand it over safely`)
  out.info(safe`on the other laptop: ${pairCommand(path, insecureTransport)}`)
  out.info(
    safe`good for ${lifeOf(offer.expiresAt)}, whenever mqttchat runs here; to end it: ${shellCommand`mqttchat pair --cancel ${id}`}`,
  )
}

/** Shows name and four words, and asks whether they are the same on both sides. */
async function finishPairing(
  context: Context,
  client: ChatClient,
  pairing: { readonly paired: Paired; readonly name: string | undefined },
): Promise<void> {
  const { out } = context
  const { known, renamedFrom, confusableWith } = pairing.paired
  const words = await awaitWords(client, pairing.paired)
  const contact = await nameContact(context, client, pairing)
  if (out.json) out.report.record("mqttchat/paired/1", { contact, words, known, renamedFrom, confusableWith })
  else if (words.length > 0) out.report.data(fourWords(contact.name, words))
  else out.report.data(safe`words to compare: ${wordsToCome(contact)}`)
  if (known)
    out.info(
      safe`${displayName(contact.name)} was a contact before; the keys of the conversation are new, so compare again`,
    )
  const name = displayName(contact.name)
  if (markedName(contact.name) !== name) out.warn(safe`mind the name: ${markedName(contact.name)}`)
  noteLookAlike(out, contact.name, pairing.paired)
  if (words.length === 0) {
    out.next(safe`${name} is UNVERIFIED. When they have: ${shellCommand`mqttchat verify ${contact.name}`}`)
    return
  }
  if (!context.isInteractive || !(await out.flushed())) {
    out.next(
      safe`${name} is UNVERIFIED. The same four words on both sides? then: ${shellCommand`mqttchat verify ${contact.name} --yes`}`,
    )
    return
  }
  const verified = await unlessRejected(client, contact, (rejected) =>
    compareWords({ ...context, rejected }, client, { contact, words }),
  )
  if (!verified) {
    out.next(
      safe`${name} is UNVERIFIED. When you have compared: ${shellCommand`mqttchat verify ${contact.name}`}`,
    )
    return
  }
  out.done(safe`${name} is VERIFIED`)
  const chatNow = { message: safe`Open the chat now?`, suggested: true, flag: "--no-input" }
  if (process.stdout.isTTY && (await askYes(context, chatNow))) {
    await chat(context, client, { contact: contact.name, plain: false })
  }
}

function noteLookAlike(
  out: Output,
  name: string,
  { renamedFrom, confusableWith }: Pick<Paired, "renamedFrom" | "confusableWith">,
): void {
  if (renamedFrom === null || confusableWith === null) return
  const old = displayName(confusableWith)
  const replacement = out.advised(shellCommand`mqttchat contacts replace ${confusableWith} ${name}`)
  if (renamedFrom.toLowerCase() !== confusableWith.toLowerCase())
    out.warn(safe`they call themselves ${displayName(renamedFrom)}, which looks like your contact ${old}`)
  else out.info(safe`if this is the ${old} you know, with new keys: ${replacement}`)
}

/** Asks whether the words are the same. A contact whose words differ is blocked: Fault `refused`. */
async function compareWords(
  context: Context & { readonly rejected: AbortSignal },
  client: ChatClient,
  shown: { readonly contact: Contact; readonly words: readonly string[] },
): Promise<boolean> {
  const { id, name: contact } = shown.contact
  const flag = "--no-input"
  const sameQuestion = { message: safe`Do you both see the same four words?`, suggested: false, flag }
  if (await askYes(context, sameQuestion, context.rejected)) {
    await client.call("mark-verified", { contact: id, verified: true, words: [...shown.words] })
    return true
  }
  // Enter alone does not mean that they differ.
  const name = displayName(contact)
  const differentQuestion = {
    message: safe`Did you compare them, and they differ? Then ${name} is blocked.`,
    suggested: false,
    flag,
  }
  if (!(await askYes(context, differentQuestion, context.rejected))) return false
  await client.call("mark-verified", { contact: id, verified: false })
  await client.call("block", { contact: id, blocked: true })
  const why = `what you compared differs: ${contact} is not who you think, or someone is in between; blocked, and their side is told`
  throw new Fault("refused", why, `${shellCommand`mqttchat contacts forget ${contact}`}, then pair again`)
}

/** Asks for another name if a contact already has this one. */
async function nameContact(
  context: Context,
  client: ChatClient,
  { paired, name }: { readonly paired: Paired; readonly name: string | undefined },
): Promise<Contact> {
  const { contact, renamedFrom, confusableWith } = paired
  const rename = (to: string): Promise<Contact> =>
    renameAndWarn({ client, out: context.out }, contact.name, to)
  if (name !== undefined) return rename(name)
  if (renamedFrom === null || !context.isInteractive) return contact
  const why =
    confusableWith === null
      ? safe`They call themselves ${displayName(renamedFrom)}, which has a meaning of its own here.`
      : safe`You have a contact named ${displayName(confusableWith)}.`
  const message = safe`${why} Name for this one:`
  const to = await askText(context, { message, suggested: contact.name, flag: "--name NAME" })
  return to === contact.name ? contact : rename(to)
}
