import { codeOf, Fault } from "../../errors.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import { directWith } from "../state/conversations.ts"
import { contactOf } from "../contacts/devices.ts"
import type { EngineState } from "../state/engine-state.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import { stepInput, type StepInput } from "../state/update.ts"
import { topicsOf } from "../state/peer-topic.ts"
import { isUnsealed } from "../state/unsealed.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Connection, Ports } from "../state/ports.ts"
import type { Mailboxes } from "../connection/mailboxes.ts"
import { isRestTooLong, isTriedEnough, retransmitAfter, triedOn } from "./retransmit-schedule.ts"
import { DeviceRests, restAfter } from "./device-rests.ts"
import { NO_REASON, nowTaken, setAside, whatIsRefused } from "./refusals.ts"
import { nextDue, SendOrder, type SendGate } from "./send-order.ts"
import { Suspects } from "./suspects.ts"
import { giveUpChange, giveUpText } from "./cancel.ts"
import { messageStateChange } from "./message-state.ts"

/** Enough to keep the transport's own window full. */
const IN_FLIGHT_MAX = 16
/** A connection that lives so long, or on which the broker took something, holds. */
const HOLDS_AFTER_MS = 1_000
/** So many others may go before a frame that has to go alone. */
const PASSED_OVER_MAX = 64
/** When so many devices are refused at once it is the broker that takes nothing. */
const DEVICES_REFUSED_MAX = 8

export type OutboxParts = {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly mailboxes: Mailboxes
  /** The largest packet that the broker takes, if it has said so. */
  readonly maximumPacketSize: () => number | undefined
}

/** Publishes sealed frames to the broker: each device's in order, and again until the peer has acknowledged them. */
export class Outbox {
  readonly #ports: Ports
  readonly #queue: CommitQueue
  readonly #mailboxes: Mailboxes
  readonly #maximumPacketSize: () => number | undefined
  readonly #order = new SendOrder()
  readonly #inFlight = new Set<number>()
  readonly #suspects = new Suspects()
  readonly #rests: DeviceRests
  /** How often the broker refused a frame, for a reason that may be the frame's or its device's. */
  readonly #refusals = new Map<number, number>()
  /** The only frame under way, since it may be why connections end. */
  #alone: number | undefined
  /** How often such a frame was passed over. */
  #passedOver = 0
  #aloneFrom = 0
  #connectedAt = 0
  #holds = false
  readonly #waiting = new Map<number, (() => void)[]>()
  #drains: (() => void)[] = []
  #connection: Connection | undefined
  #cancelTimer: () => void = () => undefined
  #flushScheduled = false
  /** Set during a rest. */
  #cancelBackoff: (() => void) | undefined
  #failures = 0
  #stopped = false

  constructor({ ports, queue, mailboxes, maximumPacketSize }: OutboxParts) {
    this.#ports = ports
    this.#queue = queue
    this.#mailboxes = mailboxes
    this.#maximumPacketSize = maximumPacketSize
    this.#rests = new DeviceRests(ports.after)
    mailboxes.onOpen(this.flush)
  }

  /** The connection went up or down. */
  setConnection(connection: Connection | undefined): void {
    this.#connection = connection
    this.#connectedAt = this.#ports.now()
    this.#holds = false
    this.#rests.endAll()
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
    await this.#queue.run((state) => dueNow(state, this.#ports.now(), ({ refusal }) => refusal === undefined))
  }

  /** After a connection: ends the rests that a clock which was set back made too long, and of what the broker takes now. */
  async endRests(): Promise<void> {
    const now = this.#ports.now()
    const limit = this.#maximumPacketSize()
    await this.#queue.run((state) => {
      const accepted = new Set(nowTaken(state, limit))
      return dueNow(state, now, (entry) => isRestTooLong(entry, now) || accepted.has(entry))
    })
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
    const rests = this.#rests.has
    const gate = { now, inFlight: this.#inFlight, maySendInit, rests }
    const state = this.#queue.state()
    const mayGo = (entry: OutgoingRecord): boolean => {
      const isSuspect = this.#suspects.has(entry)
      if (isSuspect) this.#passedOver++
      return !isSuspect
    }
    while (
      this.#alone === undefined &&
      this.#passedOver < PASSED_OVER_MAX &&
      this.#inFlight.size < IN_FLIGHT_MAX
    ) {
      const entry = this.#order.next(state, { ...gate, mayGo })
      if (entry === undefined) break
      void this.#publish(entry, connection)
    }
    const isIdle = this.#inFlight.size === 0
    if (isIdle) this.#passedOver = 0
    const suspect = isIdle ? this.#nextAlone(gate) : undefined
    const next = suspect === undefined ? nextDue(state, now) : this.#sendAlone(suspect, connection)
    if (next !== Infinity) this.#cancelTimer = this.#ports.after(next - now, this.flush)
  }

  #nextAlone(gate: Omit<SendGate, "mayGo">): OutgoingRecord | undefined {
    const state = this.#queue.state()
    const mayGo = (entry: OutgoingRecord): boolean => !this.#suspects.wasAlone(entry)
    return (
      this.#order.next(state, { ...gate, mayGo }) ?? this.#order.next(state, { ...gate, mayGo: () => true })
    )
  }

  /** As soon as the connection holds, and not soon after another one ended it; returns when that will be. */
  #sendAlone(entry: OutgoingRecord, connection: Connection): number {
    const holdsAt = this.#holds ? 0 : this.#connectedAt + HOLDS_AFTER_MS
    const from = Math.max(holdsAt, this.#aloneFrom)
    if (this.#ports.now() < from) return from
    this.#alone = entry.seq
    void this.#publish(entry, connection)
    return Infinity
  }

  async #publish(entry: OutgoingRecord, connection: Connection): Promise<void> {
    const { now, reach } = this.#ports
    this.#inFlight.add(entry.seq)
    try {
      if (isTriedEnough(entry, now())) {
        await this.#queue.run((state) => giveUp(state, entry.seq, stepInput(this.#ports)))
        return
      }
      reach("publish-started")
      const topics = topicsOf(this.#queue.state(), entry, now())
      await Promise.all(topics.map((topic) => connection.publish(topic, entry.wire)))
      reach("publish-acknowledged")
      this.#onTaken(entry)
      await this.#queue.run((state) => published(state, entry.seq, now()))
      reach("publish-recorded")
      this.#failures = 0
    } catch (fault) {
      // It stays due, and is sent again when the connection is back or the disk has room.
      if (!(fault instanceof Fault)) throw fault
      await this.#onFailed(entry, fault)
    } finally {
      this.#inFlight.delete(entry.seq)
      if (this.#alone === entry.seq) this.#alone = undefined
      this.flush()
    }
  }

  #onTaken(entry: OutgoingRecord): void {
    this.#holds = true
    if (this.#alone === entry.seq) this.#aloneFrom = 0
    this.#suspects.taken(entry)
    this.#rests.end(entry.device)
    this.#refusals.delete(entry.seq)
  }

  async #onFailed(entry: OutgoingRecord, fault: Fault): Promise<void> {
    const code = codeOf(fault.cause)
    const reason = typeof code === "number" ? code : undefined
    if (fault.code === "refused") await this.#onRefused(entry, reason)
    else if (fault.code === "unavailable" && code !== undefined) await this.#onCutOff(entry, reason)
    else this.#backOff()
  }

  async #onRefused(entry: OutgoingRecord, reason: number | undefined): Promise<void> {
    const what = whatIsRefused(reason)
    const refusals = 1 + (this.#refusals.get(entry.seq) ?? 0)
    this.#refusals.set(entry.seq, refusals)
    if (reason !== undefined && (what === "frame" || (what === "unclear" && refusals > 1)))
      await this.#setAside(entry, reason)
    else this.#rests.begin(entry.device, this.flush)
    if (this.#rests.refused >= DEVICES_REFUSED_MAX) this.#backOff()
  }

  async #onCutOff(entry: OutgoingRecord, reason: number | undefined): Promise<void> {
    const how = { hasReason: reason !== undefined, alone: this.#alone === entry.seq }
    const isWhy = this.#suspects.ended(entry, how)
    if (how.alone) this.#aloneFrom = this.#ports.now() + this.#suspects.restAfterEnd
    if (isWhy) await this.#setAside(entry, reason ?? NO_REASON)
  }

  async #setAside({ seq }: OutgoingRecord, reason: number): Promise<void> {
    const refusal = { reason, limit: this.#maximumPacketSize() ?? 0 }
    this.#refusals.delete(seq)
    try {
      await this.#queue.run((state) => setAside(state, seq, refusal, this.#ports.now()))
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      this.#backOff()
    }
  }

  /** All that fail together share one rest: if each woke all the others, this would never end. */
  #backOff(): void {
    if (this.#cancelBackoff !== undefined) return
    this.#cancelBackoff = this.#ports.after(restAfter(this.#failures++), () => {
      this.#cancelBackoff = undefined
      this.flush()
    })
  }

  #release(): void {
    const { outgoing } = this.#queue.state()
    for (const [seq, resolvers] of this.#waiting) {
      const entry = outgoing.get(seq)
      if (entry?.published === false && entry.refusal === undefined) continue
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
  const { daysTried, lastDayTried } = triedOn(entry, now)
  const dueAt = now + retransmitAfter(attempts)
  const outgoing = { ...entry, published: true, refusal: undefined, attempts, daysTried, lastDayTried, dueAt }
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
  const commit = entries.map((entry): Change => ({
    kind: "outgoing",
    outgoing: { ...entry, refusal: undefined, dueAt: now },
  }))
  return { commit, effects: [], result: null }
}
