/** Rates are over the last minute. */
const SECONDS = 60

export type FlowStats = { readonly messages: number; readonly bytes: number; readonly perSecond: number }

/** Counts messages in one direction. */
export class Flow {
  #messages = 0
  #bytes = 0
  /** Messages by second of the minute, and the second that each of them stands for. */
  readonly #counts = new Array<number>(SECONDS).fill(0)
  readonly #stamps = new Array<number>(SECONDS).fill(-1)

  add(bytes: number, now: number): void {
    this.#messages += 1
    this.#bytes += bytes
    const second = Math.floor(now / 1000)
    const place = second % SECONDS
    const isNew = this.#stamps[place] !== second
    this.#stamps[place] = second
    this.#counts[place] = isNew ? 1 : (this.#counts[place] ?? 0) + 1
  }

  stats(now: number): FlowStats {
    const since = Math.floor(now / 1000) - SECONDS
    const recent = this.#counts.filter((_count, place) => (this.#stamps[place] ?? -1) > since)
    const perSecond = recent.reduce((sum, count) => sum + count, 0) / SECONDS
    return { messages: this.#messages, bytes: this.#bytes, perSecond }
  }
}
