import { Fault } from "../../errors.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import { directWith } from "../state/conversations.ts"
import { contactOf } from "../contacts/devices.ts"
import type { EngineState } from "../state/engine-state.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import { stepInput, type StepInput } from "../state/update.ts"
import { topicOf } from "../state/peer-topic.ts"
import { isUnsealed } from "../state/unsealed.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Connection, Ports } from "../state/ports.ts"
import type { Mailboxes } from "../connection/mailboxes.ts"
import { GIVE_UP_AFTER_MS, isRestTooLong, retransmitAfter } from "./retransmit-schedule.ts"
import { nextDue, SendOrder } from "./send-order.ts"
import { giveUpChange, giveUpText } from "./cancel.ts"
import { messageStateChange } from "./message-state.ts"

/**
 * Rest after a frame could not be published while online: the disk is full, or the broker refused it. As long as
 * nothing else succeeds, each rest is twice as long as the last.
 */
const BACKOFF_MS = { first: 1_000, longest: 60_000 } as const
/** Enough to keep the transport's own window full. */
const IN_FLIGHT_MAX = 16

/** Publishes sealed frames to the broker: each device's in order, and again until the peer has acknowledged them. */
export class Outbox {
  readonly #ports: Ports
  readonly #queue: CommitQueue
  readonly #mailboxes: Mailboxes
  readonly #order = new SendOrder()
  readonly #inFlight = new Set<number>()
  readonly #waiting = new Map<number, (() => void)[]>()
  #drains: (() => void)[] = []
  #connection: Connection | undefined
  #cancelTimer: () => void = () => undefined
  #flushScheduled = false
  /** Set during a rest. */
  #cancelBackoff: (() => void) | undefined
  #failures = 0
  #stopped = false

  constructor(ports: Ports, queue: CommitQueue, mailboxes: Mailboxes) {
    this.#ports = ports
    this.#queue = queue
    this.#mailboxes = mailboxes
    mailboxes.onOpen(this.flush)
  }

  /** The connection went up or down. */
  setConnection(connection: Connection | undefined): void {
    this.#connection = connection
    this.#failures = 0
    this.#cancelBackoff?.()
    this.#cancelBackoff = undefined
    this.flush()
  }

  /** Publishes the due frames, if there is a connection. Every commit calls it; calls in one turn are merged. */
  readonly flush = (): void => {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    queueMicrotask(() => {
      this.#flushScheduled = false
      this.#cancelTimer()
      if (this.#connection !== undefined && this.#cancelBackoff === undefined && !this.#stopped)
        this.#send(this.#connection)
      this.#release()
    })
  }

  /** Makes everything due: the broker has lost our session, and perhaps what it held. */
  async flushNow(): Promise<void> {
    await this.#queue.run((state) => dueNow(state, this.#ports.now(), () => true))
  }

  /** Ends the rests that a clock which was set back made too long. */
  async endLongRests(): Promise<void> {
    const now = this.#ports.now()
    await this.#queue.run((state) => dueNow(state, now, (entry) => isRestTooLong(entry, now)))
  }

  /** Resolves when the broker has acknowledged the frame, or it is gone; see `Book.outgoing`. */
  acknowledged(seq: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.set(seq, [...(this.#waiting.get(seq) ?? []), resolve])
      this.#release()
    })
  }

  /** Resolves when nothing that can be published now is unpublished, or the connection is down. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drains.push(resolve)
      this.flush()
    })
  }

  /** Nothing is published after this. */
  stop(): void {
    this.#stopped = true
    this.flush()
  }

  #send(connection: Connection): void {
    const now = this.#ports.now()
    const { maySendInit } = this.#mailboxes
    const gate = { now, inFlight: this.#inFlight, maySendInit, rests: () => false }
    const state = this.#queue.state()
    while (this.#inFlight.size < IN_FLIGHT_MAX) {
      const entry = this.#order.next(state, gate)
      if (entry === undefined) break
      void this.#publish(entry, connection)
    }
    const next = nextDue(state, now)
    if (next !== Infinity) this.#cancelTimer = this.#ports.after(next - now, this.flush)
  }

  async #publish(entry: OutgoingRecord, connection: Connection): Promise<void> {
    const { now, reach } = this.#ports
    this.#inFlight.add(entry.seq)
    try {
      if (now() - entry.createdAt > GIVE_UP_AFTER_MS) {
        await this.#queue.run((state) => giveUp(state, entry.seq, stepInput(this.#ports)))
        return
      }
      reach("publish-started")
      await connection.publish(topicOf(this.#queue.state(), entry, now()), entry.wire)
      reach("publish-acknowledged")
      await this.#queue.run((state) => published(state, entry.seq, now()))
      reach("publish-recorded")
      this.#failures = 0
    } catch (fault) {
      // It stays due, and is sent again when the connection is back or the disk has room.
      if (!(fault instanceof Fault)) throw fault
      this.#backOff()
    } finally {
      this.#inFlight.delete(entry.seq)
      this.flush()
    }
  }

  /** All that fail together share one rest: if each woke all the others, this would never end. */
  #backOff(): void {
    if (this.#cancelBackoff !== undefined) return
    const ms = Math.min(BACKOFF_MS.first * 2 ** this.#failures++, BACKOFF_MS.longest)
    this.#cancelBackoff = this.#ports.after(ms, () => {
      this.#cancelBackoff = undefined
      this.flush()
    })
  }

  #release(): void {
    const { outgoing } = this.#queue.state()
    for (const [seq, resolvers] of this.#waiting) {
      if (outgoing.get(seq)?.published === false) continue
      this.#waiting.delete(seq)
      for (const resolve of resolvers) resolve()
    }
    if (this.#inFlight.size > 0) return
    const ready = this.#drains
    this.#drains = []
    for (const resolve of ready) resolve()
  }
}

/** PUBACK: a passing frame, or a rejection, is done, all others wait for the peer. */
function published(state: EngineState, seq: number, now: number): Decision<null> {
  const entry = state.outgoing.get(seq)
  // The peer's receipt can overtake the broker's.
  if (entry === undefined) return noChange(null)
  if (entry.kind === "passing" || entry.kind === "rejection")
    return { commit: [{ kind: "outgoing-done", seq }], effects: [], result: null }
  const attempts = entry.attempts + 1
  const outgoing = { ...entry, published: true, attempts, dueAt: now + retransmitAfter(attempts) }
  const commit: Change[] = [{ kind: "outgoing", outgoing }]
  if (entry.published || entry.carries === undefined) return { commit, effects: [], result: null }
  const contact = contactOf(state, entry.device)
  if (contact === undefined) return { commit, effects: [], result: null }
  const stateChange = messageStateChange(directWith(state, contact.id), entry.carries.id, "broker", now)
  return { commit: [...commit, stateChange.change], effects: [stateChange.effect], result: null }
}

function giveUp(state: EngineState, seq: number, input: StepInput): Decision<null> {
  const entry = state.outgoing.get(seq)
  if (entry === undefined) return noChange(null)
  if (entry.carriesChange !== undefined) return giveUpChange(state, entry, input)
  if (entry.carries === undefined) {
    return { commit: [{ kind: "outgoing-done", seq }], effects: [], result: null }
  }
  return giveUpText(state, entry, input)
}

function dueNow(
  state: EngineState,
  now: number,
  isMeant: (entry: OutgoingRecord) => boolean,
): Decision<null> {
  const entries = [...state.outgoing.values()].filter((entry) => !isUnsealed(entry) && isMeant(entry))
  const commit = entries.map((entry): Change => ({ kind: "outgoing", outgoing: { ...entry, dueAt: now } }))
  return { commit, effects: [], result: null }
}
