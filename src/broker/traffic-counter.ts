/** Rates are over the last minute. */
const SECONDS = 60

export type TrafficStats = { readonly messages: number; readonly bytes: number; readonly perSecond: number }

/** Counts messages in one direction. */
export class TrafficCounter {
  #messages = 0
  #bytes = 0
  /** Messages by second of the minute, and the second that each of them stands for. */
  readonly #counts = new Array<number>(SECONDS).fill(0)
  readonly #stamps = new Array<number>(SECONDS).fill(-1)

  add(bytes: number, now: number): void {
    this.#messages += 1
    this.#bytes += bytes
    const second = Math.floor(now / 1000)
    const slot = second % SECONDS
    const isNew = this.#stamps[slot] !== second
    this.#stamps[slot] = second
    this.#counts[slot] = isNew ? 1 : (this.#counts[slot] ?? 0) + 1
  }

  stats(now: number): TrafficStats {
    const since = Math.floor(now / 1000) - SECONDS
    const recent = this.#counts.filter((_count, slot) => (this.#stamps[slot] ?? -1) > since)
    const perSecond = recent.reduce((sum, count) => sum + count, 0) / SECONDS
    return { messages: this.#messages, bytes: this.#bytes, perSecond }
  }
}
