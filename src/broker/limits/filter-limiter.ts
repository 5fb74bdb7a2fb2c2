/** Counts what each client has subscribed to, in kept sessions too. */
export class FilterLimiter {
  readonly #max: number
  readonly #onFull: (clientId: string, filtersMax: number) => void
  readonly #filters = new WeakMap<object, Set<string>>()
  readonly #full = new WeakSet()
  #refused = 0

  /** `onFull` is called once for each client that asks for more than `max`. */
  constructor(max: number, onFull: (clientId: string, filtersMax: number) => void = () => undefined) {
    this.#max = max
    this.#onFull = onFull
  }

  get refused(): number {
    return this.#refused
  }

  /** True if the client may have this filter, also where it has it already. */
  add(client: { readonly id: string }, filter: string): boolean {
    const filters = this.#filters.get(client) ?? new Set()
    this.#filters.set(client, filters)
    if (filters.has(filter)) return true
    if (filters.size < this.#max) {
      filters.add(filter)
      return true
    }
    this.#refused += 1
    if (!this.#full.has(client)) this.#onFull(client.id, this.#max)
    this.#full.add(client)
    return false
  }

  has(client: object, filter: string): boolean {
    return this.#filters.get(client)?.has(filter) === true
  }

  remove(client: object, filters: readonly string[]): void {
    const known = this.#filters.get(client)
    for (const filter of filters) known?.delete(filter)
  }
}
