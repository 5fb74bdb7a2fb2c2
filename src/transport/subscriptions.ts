import { Fault } from "../errors.ts"
import { REFUSED_FROM } from "./failures.ts"

/** A topic of ours is under 60 bytes: a SUBSCRIBE of this many stays far below every broker's packet limit. */
const BATCH_MAX = 100

type Waiter = { readonly resolve: () => void; readonly reject: (fault: Fault) => void }
type Subscription = { granted: boolean; waiters: Waiter[] }

/** What a connection can do about topics. `granted` is undefined when the connection ended before the answer. */
export type Subscriber = {
  readonly subscribe: (
    topics: readonly string[],
    onAnswer: (granted: readonly number[] | undefined) => void,
  ) => void
  readonly unsubscribe: (topics: readonly string[], onAnswer: () => void) => void
}

/** The topics a link wants, kept across its connections. */
export class Subscriptions {
  readonly #subscriptions = new Map<string, Subscription>()
  /** Ended while the link was down: the broker's session still has them. */
  readonly #pendingUnsubscribes = new Set<string>()
  /** Asked for in this turn: they go out in few packets. */
  #pendingSubscribes: string[] = []
  #subscriber: Subscriber | undefined

  /** A connection is up: all subscriptions are requested again, which is harmless where the session was kept. */
  resume(subscriber: Subscriber): void {
    this.#subscriber = subscriber
    for (const subscription of this.#subscriptions.values()) subscription.granted = false
    const ended = [...this.#pendingUnsubscribes]
    if (ended.length > 0)
      subscriber.unsubscribe(ended, () => ended.forEach((topic) => this.#pendingUnsubscribes.delete(topic)))
    this.#pendingSubscribes = []
    this.#requestAll(subscriber, [...this.#subscriptions.keys()])
  }

  pause(): void {
    this.#subscriber = undefined
  }

  /** No connection follows. */
  end(why: Fault): void {
    this.pause()
    for (const { waiters } of this.#subscriptions.values())
      for (const waiter of waiters.splice(0)) waiter.reject(why)
  }

  add(topic: string): Promise<void> {
    this.#pendingUnsubscribes.delete(topic)
    const subscription = this.#subscriptions.get(topic) ?? { granted: false, waiters: [] }
    if (subscription.granted && this.#subscriber !== undefined) return Promise.resolve()
    const isNew = !this.#subscriptions.has(topic)
    this.#subscriptions.set(topic, subscription)
    return new Promise((resolve, reject) => {
      subscription.waiters.push({ resolve, reject })
      if (!isNew || this.#subscriber === undefined) return
      if (this.#pendingSubscribes.push(topic) === 1) queueMicrotask(() => this.#requestPending())
    })
  }

  remove(topic: string): Promise<void> {
    const subscription = this.#subscriptions.get(topic)
    this.#subscriptions.delete(topic)
    for (const waiter of subscription?.waiters ?? []) {
      waiter.reject(new Fault("unavailable", "the subscription was ended before the broker granted it"))
    }
    const subscriber = this.#subscriber
    if (subscriber === undefined) {
      this.#pendingUnsubscribes.add(topic)
      return Promise.resolve()
    }
    return new Promise((resolve) => subscriber.unsubscribe([topic], resolve))
  }

  #requestPending(): void {
    const topics = this.#pendingSubscribes.filter((topic) => this.#subscriptions.has(topic))
    this.#pendingSubscribes = []
    if (this.#subscriber !== undefined) this.#requestAll(this.#subscriber, topics)
  }

  #requestAll(subscriber: Subscriber, topics: readonly string[]): void {
    for (let at = 0; at < topics.length; at += BATCH_MAX)
      this.#request(subscriber, topics.slice(at, at + BATCH_MAX))
  }

  #request(subscriber: Subscriber, topics: readonly string[]): void {
    subscriber.subscribe(topics, (granted) => {
      if (granted === undefined || this.#subscriber !== subscriber) return
      topics.forEach((topic, index) => this.#onSuback(topic, granted[index] ?? REFUSED_FROM))
    })
  }

  #onSuback(topic: string, code: number): void {
    const subscription = this.#subscriptions.get(topic)
    if (subscription === undefined) return
    const waiters = subscription.waiters.splice(0)
    if (code < REFUSED_FROM) {
      subscription.granted = true
      for (const waiter of waiters) waiter.resolve()
      return
    }
    this.#subscriptions.delete(topic)
    const message = "the broker does not let this connection subscribe to a topic it needs"
    const why = new Fault("refused", message, undefined, new Error(`SUBACK ${code}`))
    for (const waiter of waiters) waiter.reject(why)
  }
}
