import { Fault } from "../errors.ts"

/** A topic of ours is under 60 bytes: a SUBSCRIBE of this many stays far below every broker's packet limit. */
const BATCH_MAX = 100
/** From here on a SUBACK code is a refusal (MQTT 3.1.1 section 3.9.3). */
const REFUSED_FROM = 0x80

type Waiter = { readonly resolve: () => void; readonly reject: (fault: Fault) => void }
type Wanted = { granted: boolean; waiters: Waiter[] }

/** What a connection can do about topics. `granted` is undefined when the connection ended before the answer. */
export type Wire = {
  readonly subscribe: (
    topics: readonly string[],
    answered: (granted: readonly number[] | undefined) => void,
  ) => void
  readonly unsubscribe: (topics: readonly string[], answered: () => void) => void
}

/** The topics a link wants, kept across its connections. */
export class Subscriptions {
  readonly #wanted = new Map<string, Wanted>()
  /** Ended while the link was down: the broker's session still has them. */
  readonly #unwanted = new Set<string>()
  #wire: Wire | undefined

  /** A connection is up: whatever is wanted is asked for again, which is harmless where the session lived on. */
  resume(wire: Wire): void {
    this.#wire = wire
    for (const wanted of this.#wanted.values()) wanted.granted = false
    const ended = [...this.#unwanted]
    if (ended.length > 0)
      wire.unsubscribe(ended, () => ended.forEach((topic) => this.#unwanted.delete(topic)))
    const topics = [...this.#wanted.keys()]
    for (let at = 0; at < topics.length; at += BATCH_MAX) this.#ask(wire, topics.slice(at, at + BATCH_MAX))
  }

  pause(): void {
    this.#wire = undefined
  }

  /** No connection follows. */
  end(why: Fault): void {
    this.pause()
    for (const { waiters } of this.#wanted.values())
      for (const waiter of waiters.splice(0)) waiter.reject(why)
  }

  add(topic: string): Promise<void> {
    this.#unwanted.delete(topic)
    const wanted = this.#wanted.get(topic) ?? { granted: false, waiters: [] }
    if (wanted.granted && this.#wire !== undefined) return Promise.resolve()
    const isNew = !this.#wanted.has(topic)
    this.#wanted.set(topic, wanted)
    return new Promise((resolve, reject) => {
      wanted.waiters.push({ resolve, reject })
      if (isNew && this.#wire !== undefined) this.#ask(this.#wire, [topic])
    })
  }

  remove(topic: string): Promise<void> {
    const wanted = this.#wanted.get(topic)
    this.#wanted.delete(topic)
    for (const waiter of wanted?.waiters ?? []) {
      waiter.reject(new Fault("unavailable", "the subscription was ended before the broker granted it"))
    }
    const wire = this.#wire
    if (wire === undefined) {
      this.#unwanted.add(topic)
      return Promise.resolve()
    }
    return new Promise((resolve) => wire.unsubscribe([topic], resolve))
  }

  #ask(wire: Wire, topics: readonly string[]): void {
    wire.subscribe(topics, (granted) => {
      if (granted === undefined || this.#wire !== wire) return
      topics.forEach((topic, index) => this.#answered(topic, granted[index] ?? REFUSED_FROM))
    })
  }

  #answered(topic: string, code: number): void {
    const wanted = this.#wanted.get(topic)
    if (wanted === undefined) return
    const waiters = wanted.waiters.splice(0)
    if (code < REFUSED_FROM) {
      wanted.granted = true
      for (const waiter of waiters) waiter.resolve()
      return
    }
    this.#wanted.delete(topic)
    const why = new Fault("refused", "the broker does not let this connection subscribe to a topic it needs")
    for (const waiter of waiters) waiter.reject(why)
  }
}
