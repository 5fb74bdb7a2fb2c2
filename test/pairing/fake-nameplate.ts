import { randomBytes } from "node:crypto"
import type { Random } from "../../src/crypto/bytes.ts"
import {
  type AnswerState,
  type AnswerEvent,
  answerStep,
  type AnswerEffect,
  answerWakesAt,
  beginAnswer,
} from "../../src/pairing/answer.ts"
import { type PairingCode, parseCode } from "../../src/pairing/code.ts"
import type { Grant } from "../../src/pairing/exchange.ts"
import {
  beginOffer,
  type OfferEvent,
  type OfferState,
  offerStep,
  type OfferEffect,
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
  readonly receive: (bytes: Uint8Array) => void
  readonly wakesAt: () => number | undefined
  readonly tick: () => void
}

/** One nameplate of a broker, with its own clock: everyone on it receives every message, their own included. */
export class FakeNameplate {
  now = 1_800_000_000_000
  /** The messages sent, in order, whether they arrived or not. */
  readonly published: PairingMessage[] = []
  /** The messages that the broker loses. */
  drops: (message: PairingMessage) => boolean = () => false
  readonly #listeners = new Set<Listener>()
  readonly #queue: Uint8Array[] = []

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  publish(bytes: Uint8Array): void {
    this.#queue.push(bytes)
  }

  /** Delivers messages in order, until no machine sends another one. */
  deliver(): void {
    for (let bytes = this.#queue.shift(); bytes !== undefined; bytes = this.#queue.shift()) {
      const message = decodePairing(bytes)
      if (message !== undefined) this.published.push(message)
      if (message !== undefined && this.drops(message)) continue
      for (const { receive } of [...this.#listeners]) receive(bytes)
    }
  }

  /** Advances the clock, and wakes each machine when it asked for it. */
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
    return this.published.filter((message) => message.kind === kind).length
  }
}

/** The owner: Alice, who shows a code. */
export class Owner {
  state: OfferState
  readonly effects: OfferEffect[] = []
  readonly unsubscribe: () => void
  readonly #plate: FakeNameplate

  constructor(plate: FakeNameplate, code: string) {
    this.#plate = plate
    const { next, send } = beginOffer(codeOf(code), chance)
    this.state = next
    this.unsubscribe = plate.subscribe({
      receive: (bytes) => this.feed({ kind: "message", bytes }),
      wakesAt: () => offerWakesAt(this.state),
      tick: () => this.feed({ kind: "tick" }),
    })
    for (const bytes of send) plate.publish(bytes)
    this.feed({ kind: "asked" })
  }

  feed(event: OfferEvent): void {
    const {
      next,
      send,
      effect: effects,
    } = offerStep(this.state, event, { now: this.#plate.now, random: chance })
    this.state = next
    for (const bytes of send) this.#plate.publish(bytes)
    if (effects === undefined) return
    this.effects.push(effects)
    if (effects.kind === "answered" && this.isCounting) {
      this.feed({ kind: "counted", caller: effects.caller })
    }
    if (effects.kind === "proved" && this.isQuick) this.feed({ kind: "ready", grant: GRANT })
  }

  /** False while a guess is on its way to the disk. */
  isCounting = true
  /** False while the invitation is being made. */
  isQuick = true
}

/** The caller: Bob, who types one. */
export class Caller {
  state: AnswerState
  readonly effects: AnswerEffect[] = []
  readonly unsubscribe: () => void
  readonly #plate: FakeNameplate

  constructor(plate: FakeNameplate, code: string) {
    this.#plate = plate
    const { next, send } = beginAnswer(codeOf(code), true, chance)
    this.state = next
    this.unsubscribe = plate.subscribe({
      receive: (bytes) => this.feed({ kind: "message", bytes }),
      wakesAt: () => answerWakesAt(this.state),
      tick: () => this.feed({ kind: "tick" }),
    })
    for (const bytes of send) plate.publish(bytes)
    this.feed({ kind: "asked" })
  }

  feed(event: AnswerEvent): void {
    const {
      next,
      send,
      effect: effects,
    } = answerStep(this.state, event, { now: this.#plate.now, random: chance })
    this.state = next
    for (const bytes of send) this.#plate.publish(bytes)
    if (effects === undefined) return
    this.effects.push(effects)
    if (effects.kind === "keyed" && this.isCounting) this.feed({ kind: "counted" })
  }

  /** False while this try is on its way to the disk. */
  isCounting = true
}
