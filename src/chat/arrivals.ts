import { fromBase64url, toHex } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { INIT_BYTES } from "../session/handshake.ts"
import { expects } from "../session/place.ts"
import type { ContactId, OpenBundleRecord } from "../store/records.ts"
import { LINK_REQUEST_BYTES, openLinkRequest, sealLinkAnswer } from "../wire/link.ts"
import { ID_BYTES, inboxTopic, parseTopic } from "../wire/topics.ts"
import { answerFormer } from "./former.ts"
import type { Book } from "./book.ts"
import { closing, offeredTo, readBundleSecrets, requestedFrom } from "./bundles.ts"
import { noChange, type Decision } from "./decision.ts"
import { seconds, type Moment } from "./draft.ts"
import { wasAccepted } from "./establishing.ts"
import { acceptHandshake, type Accepted, type Self } from "./handshakes.ts"
import { dropped, receive, repeatReceipt, type Received } from "./inbound.ts"
import type { Journal } from "./journal.ts"
import { ANSWERS, ANSWERS_PER_OFFER, STRANGE_FRAMES, type Limits } from "./limits.ts"
import { messageId } from "./message-id.ts"
import type { Line, Ports } from "./ports.ts"
import { recoveryOf } from "./recovery.ts"

export type Surroundings = {
  readonly ports: Ports
  readonly journal: Journal
  readonly limits: Limits
  readonly deviceId: () => string | undefined
  readonly line: () => Line | undefined
  /** After the commit. */
  readonly onReceived: (contact: ContactId, receiptsWait: boolean) => void
  /** A frame of theirs fitted, or one did not that is none that came before. */
  readonly onFitting: (contact: ContactId, fits: boolean) => void
  readonly onAccepted: (offer: OpenBundleRecord, accepted: Accepted) => void
}

/**
 * Takes one frame from the broker; PUBACK follows when the promise resolves. Whatever is wrong with the frame, it
 * is counted and gone; only a failed commit rejects, so that the broker delivers again.
 */
export async function arrive(world: Surroundings, topic: string, payload: Uint8Array): Promise<void> {
  const { ports, journal } = world
  ports.reach("receive-arrived")
  const mailbox = ourMailbox(topic, world.deviceId())
  if (mailbox === undefined || payload.length < ID_BYTES) return count(journal)
  const tag = payload.subarray(0, ID_BYTES)
  const book = journal.book()
  const isInit = payload.length === INIT_BYTES
  const offer = isInit ? (offeredTo(book, mailbox, tag) ?? recoveryOf(book, mailbox, tag)) : undefined
  if (offer !== undefined) return takeInit(world, offer, payload)
  const wanted = payload.length === LINK_REQUEST_BYTES ? requestedFrom(book, mailbox, tag) : undefined
  if (wanted !== undefined) return takeRequest(world, wanted, payload)
  const contact = book.mailboxes.get(toHex(mailbox))
  if (contact === undefined) return count(journal)
  return takeFrame(world, contact, payload)
}

async function takeFrame(world: Surroundings, contact: ContactId, wire: Uint8Array): Promise<void> {
  const { ports, journal, limits } = world
  const session = journal.book().sessions.get(contact)
  const expected = session !== undefined && expects(session, wire)
  if (!expected && !limits.allow(STRANGE_FRAMES, `strange/${contact}`, ports.now())) return count(journal)
  const received = await journal.run((book) => {
    const decision = receive(book, contact, wire, momentOf(ports))
    ports.reach("receive-decided")
    return decision
  })
  ports.reach("receive-committed")
  if (received.kind !== "refused") {
    world.onFitting(contact, true)
    world.onReceived(contact, received.receiptsWait)
  } else if (received.why === "unknown-tag") {
    await takeStranger(world, contact, wire)
  } else if (received.why === "unknown-kem" || received.why === "too-far-ahead") {
    world.onFitting(contact, false)
  }
}

/** It fits no expected tag: a text that came before, or nothing of ours. */
async function takeStranger(world: Surroundings, contact: ContactId, wire: Uint8Array): Promise<void> {
  const { ports, journal } = world
  const mid = messageId(wire)
  if (!(await ports.store.hasMessage(contact, mid))) {
    if (await journal.run((book) => answerFormer(book, contact, wire, momentOf(ports)))) {
      world.onReceived(contact, false)
      return
    }
    world.onFitting(contact, false)
    return count(journal)
  }
  await journal.run((book) => repeatReceipt(book, contact, mid, momentOf(ports)))
  world.onReceived(contact, true)
}

async function takeInit(world: Surroundings, offer: OpenBundleRecord, init: Uint8Array): Promise<void> {
  const { ports, journal } = world
  if (!allowsAnswer(world, offer)) return count(journal)
  const self: Self = { identity: ports.identity, name: ports.name }
  const outcome = await journal.run((book): Decision<Accepted | Received> => {
    const record = book.bundles.get(toHex(offer.tag))
    if (record === undefined) return dropped("unknown-tag")
    const decision = decideInit({ book, self, ports }, record, init)
    ports.reach("welcome-decided")
    return decision
  })
  ports.reach("welcome-committed")
  if (outcome.kind === "accepted") world.onAccepted(offer, outcome)
}

type Judging = { readonly book: Book; readonly self: Self; readonly ports: Ports }

function decideInit(
  { book, self, ports }: Judging,
  record: OpenBundleRecord,
  init: Uint8Array,
): Decision<Accepted | Received> {
  if (isOver(record, ports)) return withdrawn(record)
  const contact = record.contact === null ? undefined : book.contacts.get(record.contact)
  if (contact !== undefined && wasAccepted(book, contact.id, init)) {
    // The WELCOME to it is in the outbox until the peer has it.
    return noChange({ kind: "again", receiptsWait: false })
  }
  return acceptHandshake(book, self, { record, init }, momentOf(ports))
}

async function takeRequest(world: Surroundings, offer: OpenBundleRecord, request: Uint8Array): Promise<void> {
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

function withdrawn(record: OpenBundleRecord): Decision<Received> {
  return { ...dropped("unknown-tag"), commit: closing([record]) }
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
