import { randomBytes } from "node:crypto"
import type { Random } from "../../src/crypto/bytes.ts"
import {
  type Answering,
  type AnswerEvent,
  answerStep,
  type AnswerTold,
  answerWakesAt,
  beginAnswer,
} from "../../src/pairing/answer.ts"
import { type PairingCode, parseCode } from "../../src/pairing/code.ts"
import type { Grant } from "../../src/pairing/exchange.ts"
import {
  beginOffer,
  type OfferEvent,
  type Offering,
  offerStep,
  type OfferTold,
  offerWakesAt,
} from "../../src/pairing/offer.ts"
import { decodePairing, type PairingMessage } from "../../src/wire/pairing.ts"

export const chance: Random = (length) => new Uint8Array(randomBytes(length))

export function codeOf(text: string): PairingCode {
  const parsed = parseCode(text)
  if (parsed.kind === "bad") throw new Error(parsed.why)
  return parsed.code
}

export const GRANT: Grant = {
  bundle: chance(1402),
  access: { proof: { kind: "pin", pin: chance(16) }, entry: { kind: "invitation", invitation: chance(72) } },
}

type Listener = {
  readonly hear: (bytes: Uint8Array) => void
  readonly wakesAt: () => number | undefined
  readonly tick: () => void
}

/** One nameplate of a broker, with a clock of its own: everybody on it hears everything, themselves included. */
export class Nameplate {
  now = 1_800_000_000_000
  /** What was said, in order, whether it arrived or not. */
  readonly said: PairingMessage[] = []
  /** What the broker loses. */
  loses: (message: PairingMessage) => boolean = () => false
  readonly #listeners = new Set<Listener>()
  readonly #queue: Uint8Array[] = []

  join(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  say(bytes: Uint8Array): void {
    this.#queue.push(bytes)
  }

  /** Delivers what was said, in order, until nobody has anything to say. */
  deliver(): void {
    for (let bytes = this.#queue.shift(); bytes !== undefined; bytes = this.#queue.shift()) {
      const message = decodePairing(bytes)
      if (message !== undefined) this.said.push(message)
      if (message !== undefined && this.loses(message)) continue
      for (const { hear } of [...this.#listeners]) hear(bytes)
    }
  }

  /** Time passes, and everybody wakes when they wanted to. */
  pass(ms: number): void {
    const until = this.now + ms
    for (;;) {
      this.deliver()
      const due = [...this.#listeners].flatMap((one) => ({ one, at: one.wakesAt() ?? Infinity }))
      const [next] = due.sort((a, b) => a.at - b.at)
      if (next === undefined || next.at > until) break
      this.now = Math.max(this.now, next.at)
      next.one.tick()
    }
    this.now = until
  }

  count(kind: PairingMessage["kind"]): number {
    return this.said.filter((message) => message.kind === kind).length
  }
}

/** Alice, who shows a code. */
export class Owner {
  state: Offering
  readonly told: OfferTold[] = []
  readonly leave: () => void
  readonly #plate: Nameplate

  constructor(plate: Nameplate, code: string) {
    this.#plate = plate
    const { next, send } = beginOffer(codeOf(code), chance)
    this.state = next
    this.leave = plate.join({
      hear: (bytes) => this.feed({ kind: "message", bytes }),
      wakesAt: () => offerWakesAt(this.state),
      tick: () => this.feed({ kind: "tick" }),
    })
    for (const bytes of send) plate.say(bytes)
    this.feed({ kind: "asked" })
  }

  feed(event: OfferEvent): void {
    const { next, send, told } = offerStep(this.state, event, { now: this.#plate.now, random: chance })
    this.state = next
    for (const bytes of send) this.#plate.say(bytes)
    if (told === undefined) return
    this.told.push(told)
    if (told.kind === "answered" && this.isQuick) this.feed({ kind: "ready", grant: GRANT })
  }

  /** False while the invitation takes its time. */
  isQuick = true
}

/** Bob, who types one. */
export class Caller {
  state: Answering
  readonly told: AnswerTold[] = []
  readonly leave: () => void
  readonly #plate: Nameplate

  constructor(plate: Nameplate, code: string) {
    this.#plate = plate
    const { next, send } = beginAnswer(codeOf(code), true, chance)
    this.state = next
    this.leave = plate.join({
      hear: (bytes) => this.feed({ kind: "message", bytes }),
      wakesAt: () => answerWakesAt(this.state),
      tick: () => this.feed({ kind: "tick" }),
    })
    for (const bytes of send) plate.say(bytes)
    this.feed({ kind: "asked" })
  }

  feed(event: AnswerEvent): void {
    const { next, send, told } = answerStep(this.state, event, { now: this.#plate.now, random: chance })
    this.state = next
    for (const bytes of send) this.#plate.say(bytes)
    if (told === undefined) return
    this.told.push(told)
    if (told.kind === "keyed") this.feed({ kind: "pinned" })
  }
}
