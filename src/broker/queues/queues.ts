import { parseTopic } from "../../wire/topics.ts"
import type { JournalRecord, QueuedFrame } from "./journal-record.ts"

/** As many frames as a sender's outbox holds for one contact. */
export const QUEUE_MAX_FRAMES = 10_000
export const QUEUE_MAX_BYTES = 64 * 1024 * 1024
/** All queues lie in memory. */
export const ALL_QUEUES_MAX_BYTES = 512 * 1024 * 1024
/** What each may hold once all together fill half of it, or eight devices of one member could leave no room for others. */
export const SHARE_MAX_BYTES = 1024 * 1024

export type Filter = { readonly topic: string; readonly qos: number }

type InFlightFrame = { readonly frame: QueuedFrame; messageId: number | undefined }
type Session = {
  readonly filters: Map<string, number>
  /** Not yet sent on this connection, by sequence, oldest first. */
  waiting: Map<number, QueuedFrame>
  /** Sent on this connection and not acknowledged, oldest first. */
  readonly inFlight: Map<number, InFlightFrame>
  /** Sequences that were sent before: a repeat says so (MQTT 3.1.1, section 3.3.1.1). */
  readonly sentBefore: Set<number>
  bytes: number
  /** Unix ms; undefined until it has been written. */
  seenAt: number | undefined
}

/** Pairing is live or not at all: a nameplate may be another user's tomorrow. */
export function isPersisted(filter: string): boolean {
  return parseTopic(filter)?.kind !== "pairing"
}

/** Only its own device reads an inbox. */
export function isInbox(topic: string): boolean {
  return parseTopic(topic)?.kind === "inbox"
}

function isGroup(topic: string): boolean {
  return parseTopic(topic)?.kind === "group"
}

export type QueuesStats = {
  readonly sessions: number
  readonly frames: number
  readonly bytes: number
  /** Acknowledged to their senders, who have them still, and not queued: the queue was full. */
  readonly dropped: number
}

/** A frame whose turn it is; `again` if it was sent on an earlier connection. */
export type Delivery = { readonly frame: QueuedFrame; readonly dup: boolean }

export type ExpiryRules = {
  readonly isOnline: (session: string) => boolean
  readonly messageExpiryMs: number
  readonly sessionExpiryMs: number
}

/** The sessions of devices and of the registrar, and what waits for each. Changed by records only, but for what is under way. */
export class Queues {
  readonly #registrarId: string
  readonly #sessions = new Map<string, Session>()
  /** By the topic of a group: the sessions that subscribed to it with QoS 1. */
  readonly #readers = new Map<string, Set<string>>()
  /** By sequence: a group's frames, each once, and in how many queues it is. */
  readonly #shared = new Map<number, { readonly frame: QueuedFrame; queues: number }>()
  #bytes = 0
  #dropped = 0
  #lastSequence = 0
  #newestTime: number | undefined

  constructor(registrarId: string) {
    this.#registrarId = registrarId
  }

  apply(record: JournalRecord): void {
    switch (record.kind) {
      case "subscribed":
        this.#open(record.session).filters.set(record.filter, record.qos)
        this.#setReader(record.filter, record.session, record.qos > 0)
        return
      case "unsubscribed":
        this.#sessions.get(record.session)?.filters.delete(record.filter)
        this.#setReader(record.filter, record.session, false)
        return
      case "forgotten":
        this.#forget(record.session)
        return
      case "queued":
        this.#enqueue(record.session, record)
        return
      case "also-queued":
        this.#enqueueShared(record.session, record.sequence)
        return
      case "settled":
        this.#settle(record.session, record.sequence)
        return
      case "seen":
        this.#markSeen(record.session, record.at)
    }
  }

  *snapshot(): Iterable<JournalRecord> {
    const written = new Set<number>()
    for (const [session, { filters, inFlight, waiting, seenAt }] of this.#sessions) {
      for (const [filter, qos] of filters) yield { kind: "subscribed", session, filter, qos }
      if (seenAt !== undefined) yield { kind: "seen", session, at: seenAt }
      for (const { frame } of inFlight.values()) yield this.#recordOf(session, frame, written)
      for (const frame of waiting.values()) yield this.#recordOf(session, frame, written)
    }
  }

  /** The payload of a group's frame is in the first record of it. */
  #recordOf(session: string, frame: QueuedFrame, written: Set<number>): JournalRecord {
    const { sequence } = frame
    if (written.has(sequence)) return { kind: "also-queued", session, sequence }
    if (this.#shared.has(sequence)) written.add(sequence)
    return { kind: "queued", session, ...frame }
  }

  /** The newest time in any record, unix ms; undefined in a new journal. */
  newestTime(): number | undefined {
    return this.#newestTime
  }

  nextSequence(): number {
    return ++this.#lastSequence
  }

  filtersOf(session: string): Filter[] {
    return [...(this.#sessions.get(session)?.filters ?? [])].map(([topic, qos]) => ({ topic, qos }))
  }

  /** The sessions whose queues take a QoS 1 message on `topic`: all readers of a group, else the one that it is for. */
  recipientsOf(topic: string): readonly string[] {
    if (isGroup(topic)) return [...(this.#readers.get(topic) ?? [])]
    const recipient = this.recipientOf(topic)
    return recipient === undefined ? [] : [recipient]
  }

  /** Whether a QoS 1 message on `topic` comes to this session from its queue. */
  isRecipient(session: string, topic: string): boolean {
    return isGroup(topic)
      ? this.#readers.get(topic)?.has(session) === true
      : this.recipientOf(topic) === session
  }

  /**
   * The session whose queue takes a QoS 1 message on `topic`: the topic names it, and it has subscribed with
   * QoS 1.
   */
  recipientOf(topic: string): string | undefined {
    const session = this.#targetSession(topic)
    const filters = session === undefined ? undefined : this.#sessions.get(session)?.filters
    const qos = filters?.get(topic) ?? filters?.get(topic.replace(/[^/]+$/, "+")) ?? 0
    return qos > 0 ? session : undefined
  }

  /** False when a queue is full; the message is then counted as dropped. */
  hasRoom(session: string, bytes: number): boolean {
    const queue = this.#sessions.get(session)
    const fits =
      queue !== undefined &&
      queue.waiting.size + queue.inFlight.size < QUEUE_MAX_FRAMES &&
      queue.bytes + bytes <= (this.#bytes > ALL_QUEUES_MAX_BYTES / 2 ? SHARE_MAX_BYTES : QUEUE_MAX_BYTES) &&
      this.#bytes + bytes <= ALL_QUEUES_MAX_BYTES
    if (!fits) this.#dropped += 1
    return fits
  }

  /** A new connection: what was sent on the last one and not acknowledged waits again, in its old place. */
  restart(session: string): void {
    const queue = this.#sessions.get(session)
    if (queue === undefined) return
    for (const sequence of queue.inFlight.keys()) queue.sentBefore.add(sequence)
    const unacknowledged = [...queue.inFlight.values()].map(({ frame }) => frame)
    queue.waiting = new Map(
      [...unacknowledged, ...queue.waiting.values()].map((frame) => [frame.sequence, frame]),
    )
    queue.inFlight.clear()
  }

  /** The oldest frame not yet sent, from now on sent; undefined if there is none or `window` frames are under way. */
  take(session: string, window: number): Delivery | undefined {
    const queue = this.#sessions.get(session)
    if (queue === undefined || queue.inFlight.size >= window) return undefined
    const [frame] = queue.waiting.values()
    if (frame === undefined) return undefined
    queue.waiting.delete(frame.sequence)
    queue.inFlight.set(frame.sequence, { frame, messageId: undefined })
    return { frame, dup: queue.sentBefore.has(frame.sequence) }
  }

  /** The packet identifier under which a frame goes out on this connection. */
  setMessageId(session: string, sequence: number, messageId: number): void {
    const inFlight = this.#sessions.get(session)?.inFlight.get(sequence)
    if (inFlight !== undefined) inFlight.messageId = messageId
  }

  sequenceOf(session: string, messageId: number): number | undefined {
    for (const [sequence, inFlight] of this.#sessions.get(session)?.inFlight ?? []) {
      if (inFlight.messageId === messageId) return sequence
    }
    return undefined
  }

  /**
   * What is to be written down at `now`: who is connected was seen, who has been away for `awayMs` is forgotten, and
   * frames that have waited for `keptMs` are settled.
   */
  *due(now: number, { isOnline, messageExpiryMs, sessionExpiryMs }: ExpiryRules): Generator<JournalRecord> {
    for (const [session, { seenAt, waiting }] of this.#sessions) {
      if (isOnline(session) || seenAt === undefined) yield { kind: "seen", session, at: now }
      else if (now - seenAt > sessionExpiryMs) {
        yield { kind: "forgotten", session }
        continue
      }
      for (const { at, sequence } of waiting.values()) {
        if (now - at <= messageExpiryMs) break
        yield { kind: "settled", session, sequence }
      }
    }
  }

  stats(): QueuesStats {
    let frames = 0
    for (const { waiting, inFlight } of this.#sessions.values()) frames += waiting.size + inFlight.size
    return { sessions: this.#sessions.size, frames, bytes: this.#bytes, dropped: this.#dropped }
  }

  #targetSession(topic: string): string | undefined {
    const parsed = parseTopic(topic)
    switch (parsed?.kind) {
      case "inbox":
        return parsed.device
      case "registration-answer":
        return parsed.id
      case "registration-request":
        return this.#registrarId
      case "group":
      case "pairing":
      case undefined:
        return undefined
    }
  }

  #open(session: string): Session {
    const known = this.#sessions.get(session)
    if (known !== undefined) return known
    const opened = {
      filters: new Map(),
      waiting: new Map(),
      inFlight: new Map(),
      sentBefore: new Set<number>(),
      bytes: 0,
      seenAt: undefined,
    }
    this.#sessions.set(session, opened)
    return opened
  }

  #setReader(filter: string, session: string, reads: boolean): void {
    if (!isGroup(filter)) return
    const readers = this.#readers.get(filter) ?? new Set()
    if (reads) readers.add(session)
    else readers.delete(session)
    if (readers.size > 0) this.#readers.set(filter, readers)
    else this.#readers.delete(filter)
  }

  #enqueue(session: string, { sequence, at, topic, payload }: QueuedFrame): void {
    this.#lastSequence = Math.max(this.#lastSequence, sequence)
    this.#noteTime(at)
    if (isGroup(topic)) {
      if (!this.#shared.has(sequence)) this.#share({ sequence, at, topic, payload })
      this.#enqueueShared(session, sequence)
    } else if (this.#add(session, { sequence, at, topic, payload })) this.#bytes += payload.length
  }

  #share(frame: QueuedFrame): void {
    this.#shared.set(frame.sequence, { frame, queues: 0 })
    this.#bytes += frame.payload.length
  }

  #enqueueShared(session: string, sequence: number): void {
    const shared = this.#shared.get(sequence)
    if (shared === undefined) return
    if (this.#add(session, shared.frame)) shared.queues += 1
    if (shared.queues === 0) this.#unshare(shared.frame)
  }

  #unshare({ sequence, payload }: QueuedFrame): void {
    this.#shared.delete(sequence)
    this.#bytes -= payload.length
  }

  /** False where there is no such session, or it has the frame: a rewritten journal may hold it twice. */
  #add(session: string, frame: QueuedFrame): boolean {
    const queue = this.#sessions.get(session)
    if (queue === undefined || queue.waiting.has(frame.sequence) || queue.inFlight.has(frame.sequence))
      return false
    queue.waiting.set(frame.sequence, frame)
    queue.bytes += frame.payload.length
    return true
  }

  #settle(session: string, sequence: number): void {
    const queue = this.#sessions.get(session)
    const frame = queue?.inFlight.get(sequence)?.frame ?? queue?.waiting.get(sequence)
    if (queue === undefined || frame === undefined) return
    queue.inFlight.delete(sequence)
    queue.waiting.delete(sequence)
    queue.sentBefore.delete(sequence)
    queue.bytes -= frame.payload.length
    this.#release(frame)
  }

  /** One queue less holds it. */
  #release(frame: QueuedFrame): void {
    const shared = this.#shared.get(frame.sequence)
    if (shared === undefined) this.#bytes -= frame.payload.length
    else if (--shared.queues === 0) this.#unshare(frame)
  }

  #noteTime(at: number): void {
    this.#newestTime = Math.max(this.#newestTime ?? at, at)
  }

  #markSeen(session: string, at: number): void {
    this.#noteTime(at)
    const known = this.#sessions.get(session)
    if (known !== undefined) known.seenAt = at
  }

  #forget(session: string): void {
    const forgotten = this.#sessions.get(session)
    if (forgotten === undefined) return
    this.#sessions.delete(session)
    for (const filter of forgotten.filters.keys()) this.#setReader(filter, session, false)
    for (const { frame } of forgotten.inFlight.values()) this.#release(frame)
    for (const frame of forgotten.waiting.values()) this.#release(frame)
  }
}
