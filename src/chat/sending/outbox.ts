import { Fault } from "../../errors.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import type { Book } from "../book.ts"
import { noChange, type Change, type Decision } from "../decision.ts"
import type { Moment } from "../draft.ts"
import type { Journal } from "../journal.ts"
import type { Line, Ports } from "../ports.ts"
import { GIVE_UP_AFTER_MS, isDue, restAfter } from "./resend.ts"
import { takeBack } from "./withdrawal.ts"
import { textState } from "./text-state.ts"

/**
 * A frame that could not be published though the line is up: the disk is full, or the broker refused it. As long as
 * nothing else succeeds, each rest is twice as long as the one before.
 */
const REST_MS = { first: 1_000, longest: 60_000 } as const
/** Enough to keep the transport's own window full. */
const IN_FLIGHT_MAX = 16

/** Carries finished frames to the broker: in order, again and again, until the peer has them. */
export class Outbox {
  readonly #ports: Ports
  readonly #journal: Journal
  readonly #mayLeave: (letter: OutgoingRecord) => boolean
  readonly #inFlight = new Set<number>()
  readonly #waiting = new Map<number, (() => void)[]>()
  #drains: (() => void)[] = []
  #line: Line | undefined
  #cancelTimer: () => void = () => undefined
  #pumping = false
  /** Set during a rest. */
  #cancelRest: (() => void) | undefined
  #rests = 0
  #stopped = false

  /** `mayLeave` holds back what the peer could not answer, or may not have. */
  constructor(ports: Ports, journal: Journal, mayLeave: (letter: OutgoingRecord) => boolean) {
    this.#ports = ports
    this.#journal = journal
    this.#mayLeave = mayLeave
  }

  /** The line came up, or went down. */
  use(line: Line | undefined): void {
    this.#line = line
    this.#rests = 0
    this.#cancelRest?.()
    this.#cancelRest = undefined
    this.pump()
  }

  /** Publishes what is due, if there is a line; to be called after every commit. Calls that come together are one. */
  readonly pump = (): void => {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      this.#cancelTimer()
      if (this.#line !== undefined && this.#cancelRest === undefined && !this.#stopped) this.#send(this.#line)
      this.#release()
    })
  }

  /** Everything is due: the broker has forgotten our session, and perhaps what it held. */
  async rush(): Promise<void> {
    await this.#journal.run((book) => allDue(book, this.#ports.now()))
    this.pump()
  }

  /** Resolves when the broker has acknowledged the frame, or it is gone; see `Book.outgoing`. */
  acknowledged(seq: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.set(seq, [...(this.#waiting.get(seq) ?? []), resolve])
      this.#release()
    })
  }

  /** Resolves when nothing that can be published now is unpublished, or the line is down. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drains.push(resolve)
      this.pump()
    })
  }

  /** Nothing starts after this. */
  stop(): void {
    this.#stopped = true
    this.pump()
  }

  /** In order; but a contact's frames wait for the INIT without which the peer cannot open them. */
  #send(line: Line): void {
    const now = this.#ports.now()
    const waitForInit = new Set<number>()
    let next = Infinity
    for (const letter of this.#journal.book().outgoing.values()) {
      if (this.#inFlight.size >= IN_FLIGHT_MAX) return
      const held = waitForInit.has(letter.contact)
      if (letter.kind === "init" && !letter.published) waitForInit.add(letter.contact)
      if (held || this.#inFlight.has(letter.seq) || !this.#mayLeave(letter)) continue
      if (isDue(letter, now)) void this.#carry(letter, line)
      else next = Math.min(next, letter.dueAt)
    }
    if (next !== Infinity) this.#cancelTimer = this.#ports.after(next - now, this.pump)
  }

  async #carry(letter: OutgoingRecord, line: Line): Promise<void> {
    const { now, reach } = this.#ports
    this.#inFlight.add(letter.seq)
    try {
      if (now() - letter.createdAt > GIVE_UP_AFTER_MS) {
        const moment = { now: now(), random: this.#ports.random }
        await this.#journal.run((book) => giveUp(book, letter.seq, moment))
        return
      }
      reach("publish-started")
      await line.publish(letter.topic, letter.wire)
      reach("publish-acknowledged")
      await this.#journal.run((book) => published(book, letter.seq, now()))
      reach("publish-recorded")
      this.#rests = 0
    } catch (fault) {
      // It stays due, and goes out again when the line is back or the disk has room.
      if (!(fault instanceof Fault)) throw fault
      this.#rest()
    } finally {
      this.#inFlight.delete(letter.seq)
      this.pump()
    }
  }

  /** However many fail together, they rest once: each of them waking all the others would never end. */
  #rest(): void {
    if (this.#cancelRest !== undefined) return
    const ms = Math.min(REST_MS.first * 2 ** this.#rests++, REST_MS.longest)
    this.#cancelRest = this.#ports.after(ms, () => {
      this.#cancelRest = undefined
      this.pump()
    })
  }

  #release(): void {
    const { outgoing } = this.#journal.book()
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

/** PUBACK: a passing frame is done, all others wait for the peer. */
function published(book: Book, seq: number, now: number): Decision<null> {
  const letter = book.outgoing.get(seq)
  // The peer's receipt can overtake the broker's.
  if (letter === undefined) return noChange(null)
  if (letter.kind === "passing") return { commit: [{ kind: "outgoing-done", seq }], tell: [], result: null }
  const attempts = letter.attempts + 1
  const outgoing = { ...letter, published: true, attempts, dueAt: now + restAfter(attempts) }
  const commit: Change[] = [{ kind: "outgoing", outgoing }]
  if (letter.published || letter.carries === undefined) return { commit, tell: [], result: null }
  const state = textState(letter.contact, letter.carries.mid, "broker", now)
  return { commit: [...commit, state.change], tell: [state.told], result: null }
}

function giveUp(book: Book, seq: number, moment: Moment): Decision<null> {
  const letter = book.outgoing.get(seq)
  if (letter === undefined) return noChange(null)
  if (letter.carries === undefined) {
    return { commit: [{ kind: "outgoing-done", seq }], tell: [], result: null }
  }
  return takeBack(book, letter, "given-up", moment)
}

function allDue(book: Book, now: number): Decision<null> {
  const commit = [...book.outgoing.values()].map((letter): Change => ({
    kind: "outgoing",
    outgoing: { ...letter, dueAt: now },
  }))
  return { commit, tell: [], result: null }
}
