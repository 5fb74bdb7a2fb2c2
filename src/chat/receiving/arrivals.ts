import { fromBase64url, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { INIT_BYTES } from "../../session/handshake.ts"
import { expects } from "../../session/locate-keys.ts"
import type { ContactId, OpenBundleRecord } from "../../store/records.ts"
import { LINK_REQUEST_BYTES, openLinkRequest, sealLinkAnswer } from "../../wire/pairing-link.ts"
import { ID_BYTES, inboxTopic, parseTopic } from "../../wire/topics.ts"
import { acceptHandshake, AGAIN, type Accepted } from "../handshakes/accepting.ts"
import type { Book } from "../book.ts"
import { closing, offeredTo, readBundleSecrets, requestedFrom } from "../handshakes/bundles.ts"
import { noChange, type Decision } from "../decision.ts"
import { seconds, type Moment } from "../draft.ts"
import { wasAccepted, wasAcceptedLast } from "../handshakes/establishing.ts"
import { answerFormer } from "../handshakes/former.ts"
import { dropped, receive, repeatReceipt, type Received } from "./inbound.ts"
import type { Self } from "../handshakes/introducing.ts"
import type { Journal } from "../journal.ts"
import { ANSWERS, ANSWERS_PER_OFFER, STRANGE_FRAMES, type Limits } from "../limits.ts"
import { messageId } from "../message-id.ts"
import type { Line, Ports } from "../ports.ts"
import { recoveryOf } from "../handshakes/recovery.ts"

export type Surroundings = {
  readonly ports: Ports
  readonly journal: Journal
  readonly limits: Limits
  readonly deviceId: () => string | undefined
  readonly line: () => Line | undefined
  /** After the commit. */
  readonly onReceived: (contact: ContactId, receiptsWait: boolean) => void
  /** A frame of theirs fitted, or one did not that is none that came before. */
  readonly onFitting: (contact: ContactId, fits: boolean) => Promise<void>
  readonly onAccepted: (offer: OpenBundleRecord, accepted: Accepted) => void
}

/** What a frame turned out to be, once all that follows from it is on disk. */
type Outcome =
  | { readonly kind: "nobody's" }
  | { readonly kind: "init"; readonly offer: OpenBundleRecord; readonly outcome: Accepted | Received }
  | { readonly kind: "request"; readonly offer: OpenBundleRecord }
  | { readonly kind: "frame"; readonly contact: ContactId; readonly received: Received }

/**
 * Takes one frame from the broker; PUBACK follows when the promise resolves. Several may be under way: each is judged by
 * what those before it lead to, on disk or not. Whatever is wrong with a frame, it is counted and gone; only a failed
 * commit rejects, so that the broker delivers again.
 */
export async function arrive(world: Surroundings, topic: string, payload: Uint8Array): Promise<void> {
  const { ports, journal } = world
  ports.reach("receive-arrived")
  const mailbox = ourMailbox(topic, world.deviceId())
  if (mailbox === undefined || payload.length < ID_BYTES) return count(journal)
  const outcome = await journal.run((book) => {
    const decision = decide(world, book, mailbox, payload)
    ports.reach(decision.result.kind === "init" ? "welcome-decided" : "receive-decided")
    return decision
  })
  ports.reach(outcome.kind === "init" ? "welcome-committed" : "receive-committed")
  await follow(world, outcome, payload)
}

function decide(
  world: Surroundings,
  book: Book,
  mailbox: Uint8Array,
  payload: Uint8Array,
): Decision<Outcome> {
  const tag = payload.subarray(0, ID_BYTES)
  const isInit = payload.length === INIT_BYTES
  const offer = isInit ? (offeredTo(book, mailbox, tag) ?? recoveryOf(book, mailbox, tag)) : undefined
  if (offer !== undefined) {
    return as(decideInit(world, book, offer, payload), (outcome) => ({ kind: "init", offer, outcome }))
  }
  const wanted = payload.length === LINK_REQUEST_BYTES ? requestedFrom(book, mailbox, tag) : undefined
  if (wanted !== undefined) return noChange({ kind: "request", offer: wanted })
  const contact = book.mailboxes.get(toHex(mailbox))
  if (contact === undefined) return as(dropped("malformed"), () => ({ kind: "nobody's" }))
  return as(decideFrame(world, book, contact, payload), (received) => ({ kind: "frame", contact, received }))
}

function as<From, To>(decision: Decision<From>, to: (result: From) => To): Decision<To> {
  return { ...decision, result: to(decision.result) }
}

function decideFrame(
  { ports, limits }: Surroundings,
  book: Book,
  contact: ContactId,
  wire: Uint8Array,
): Decision<Received> {
  const session = book.sessions.get(contact)
  const expected = session !== undefined && expects(session, wire)
  if (!expected && !limits.allow(STRANGE_FRAMES, `strange/${contact}`, ports.now())) {
    return dropped("malformed")
  }
  return receive(book, contact, wire, momentOf(ports))
}

function decideInit(
  world: Surroundings,
  book: Book,
  record: OpenBundleRecord,
  init: Uint8Array,
): Decision<Accepted | Received> {
  const { ports } = world
  if (!allowsAnswer(world, record)) return dropped("malformed")
  if (isOver(record, ports)) return { ...dropped("unknown-tag"), commit: closing([record]) }
  const self: Self = { identity: ports.identity, name: ports.name }
  const contact = record.contact === null ? undefined : book.contacts.get(record.contact)
  if (contact !== undefined) {
    // The WELCOME to it is in the outbox until the peer has it.
    if (wasAcceptedLast(book, contact.id, init)) return noChange(AGAIN)
    if (wasAccepted(book, contact.id, init)) return dropped("unknown-tag")
  }
  return acceptHandshake(book, self, { record, init }, momentOf(ports))
}

async function follow(world: Surroundings, outcome: Outcome, payload: Uint8Array): Promise<void> {
  switch (outcome.kind) {
    case "nobody's":
      return
    case "init":
      return followInit(world, outcome.offer, outcome.outcome)
    case "request":
      return answerRequest(world, outcome.offer, payload)
    case "frame":
      return followFrame(world, outcome.contact, outcome.received, payload)
  }
}

async function followInit(
  world: Surroundings,
  offer: OpenBundleRecord,
  outcome: Accepted | Received,
): Promise<void> {
  if (outcome.kind === "accepted") world.onAccepted(offer, outcome)
  else if (offer.contact === null) return
  else if (outcome.kind === "again") world.onReceived(offer.contact, false)
  else if (outcome.kind === "refused" && outcome.why === "unknown-tag") {
    await world.onFitting(offer.contact, false)
  }
}

/** What a peer's state or ours that was put back looks like: his header opens, and nothing behind it. */
const TELLING: ReadonlySet<string> = new Set(["forged", "unknown-kem", "too-far-ahead"])

async function followFrame(
  world: Surroundings,
  contact: ContactId,
  received: Received,
  wire: Uint8Array,
): Promise<void> {
  if (received.kind !== "refused") {
    await world.onFitting(contact, true)
    world.onReceived(contact, received.receiptsWait)
  } else if (received.why === "unknown-tag") {
    await takeStranger(world, contact, wire)
  } else if (TELLING.has(received.why)) {
    await world.onFitting(contact, false)
  }
}

/** It fits no expected tag: a text that came before, one of a former session, or nothing of ours. */
async function takeStranger(world: Surroundings, contact: ContactId, wire: Uint8Array): Promise<void> {
  const { ports, journal } = world
  const mid = messageId(wire)
  if (await ports.store.hasMessage(contact, mid)) {
    await journal.run((book) => repeatReceipt(book, contact, mid, momentOf(ports)))
    world.onReceived(contact, true)
    return
  }
  if (await journal.run((book) => answerFormer(book, contact, wire, momentOf(ports)))) {
    world.onReceived(contact, false)
    return
  }
  await world.onFitting(contact, false)
  await count(journal)
}

async function answerRequest(
  world: Surroundings,
  offer: OpenBundleRecord,
  request: Uint8Array,
): Promise<void> {
  const { ports, journal } = world
  const { bundle } = readBundleSecrets(offer).open
  const inbox = openLinkRequest(bundle.hash, request)
  if (inbox === undefined || isOver(offer, ports) || !allowsAnswer(world, offer)) return count(journal)
  const answer = sealLinkAnswer(bundle.hash, bundle.bytes, ports.random)
  // Not waited for: whoever asked asks again.
  void world.line()?.publish(inboxTopic(inbox), answer).catch(ignoreFault)
}

function ignoreFault(fault: unknown): void {
  if (!(fault instanceof Fault)) throw fault
}

function isOver(offer: OpenBundleRecord, ports: Ports): boolean {
  return offer.notAfter < seconds(momentOf(ports))
}

function allowsAnswer({ limits, ports }: Surroundings, offer: OpenBundleRecord): boolean {
  const now = ports.now()
  return (
    limits.allow(ANSWERS_PER_OFFER, `offer/${toHex(offer.tag)}`, now) && limits.allow(ANSWERS, "offers", now)
  )
}

function ourMailbox(topic: string, deviceId: string | undefined): Uint8Array | undefined {
  const place = parseTopic(topic)
  if (place?.kind !== "inbox" || place.device !== deviceId) return undefined
  return fromBase64url(place.mailbox)
}

async function count(journal: Journal): Promise<void> {
  await journal.run(() => dropped("malformed"))
}

export function momentOf(ports: Ports): Moment {
  return { now: ports.now(), random: ports.random }
}
