/** Numbered things by a priority, the lowest first: a binary heap that knows where each key stands. */
export class PriorityIndex<Key extends number> {
  readonly #keys: Key[]
  readonly #priorities: number[]
  readonly #indexes: Map<Key, number>

  constructor(from?: PriorityIndex<Key>) {
    this.#keys = from === undefined ? [] : [...from.#keys]
    this.#priorities = from === undefined ? [] : [...from.#priorities]
    this.#indexes = from === undefined ? new Map<Key, number>() : new Map(from.#indexes)
  }

  get size(): number {
    return this.#keys.length
  }

  /** The lowest priority; Infinity if it is empty. */
  get lowest(): number {
    return this.#priorities[0] ?? Infinity
  }

  set(key: Key, priority: number): void {
    const index = this.#indexes.get(key) ?? this.#keys.length
    this.#put(index, key, priority)
    this.#restore(index)
  }

  delete(key: Key): void {
    const index = this.#indexes.get(key)
    const [lastKey, lastPriority] = [this.#keys.at(-1), this.#priorities.at(-1)]
    if (index === undefined || lastKey === undefined || lastPriority === undefined) return
    this.#keys.pop()
    this.#priorities.pop()
    this.#indexes.delete(key)
    if (lastKey === key) return
    this.#put(index, lastKey, lastPriority)
    this.#restore(index)
  }

  /** All with a priority of at most `limit`, in no order; it costs no more than there are of them. */
  upTo(limit: number): Key[] {
    const found: Key[] = []
    this.#walk(limit, (index) => found.push(this.#keys[index] as Key))
    return found
  }

  /** The lowest priority over `limit`; Infinity if there is none. */
  lowestOver(limit: number): number {
    let lowest = Infinity
    const consider = (index: number): void => {
      lowest = Math.min(lowest, this.#priorities[index] ?? Infinity)
    }
    if (this.lowest > limit) return this.lowest
    this.#walk(limit, () => undefined, consider)
    return lowest
  }

  /** In order; each costs as much as were taken before it, so it is for the first few. */
  *ascending(): Generator<Key> {
    const open = this.#keys.length === 0 ? [] : [0]
    while (open.length > 0) {
      const index = open.reduce((best, other) => (this.#isBefore(other, best) ? other : best))
      open.splice(open.indexOf(index), 1)
      yield this.#keys[index] as Key
      open.push(...this.#below(index))
    }
  }

  #walk(limit: number, take: (index: number) => void, leave?: (index: number) => void): void {
    const open = this.#keys.length === 0 ? [] : [0]
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if ((this.#priorities[index] ?? Infinity) > limit) {
        leave?.(index)
        continue
      }
      take(index)
      open.push(...this.#below(index))
    }
  }

  #below(index: number): number[] {
    return [2 * index + 1, 2 * index + 2].filter((child) => child < this.#keys.length)
  }

  #put(index: number, key: Key, priority: number): void {
    this.#keys[index] = key
    this.#priorities[index] = priority
    this.#indexes.set(key, index)
  }

  #restore(start: number): void {
    let index = start
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!this.#isBefore(index, parent)) break
      this.#swap(index, parent)
      index = parent
    }
    if (index === start) this.#sink(index)
  }

  #sink(start: number): void {
    for (let index = start; ;) {
      let first = index
      for (const child of [2 * index + 1, 2 * index + 2])
        if (child < this.#keys.length && this.#isBefore(child, first)) first = child
      if (first === index) return
      this.#swap(index, first)
      index = first
    }
  }

  /** Of two with one priority the lower key is first. */
  #isBefore(one: number, other: number): boolean {
    const [a, b] = [this.#priorities[one] ?? Infinity, this.#priorities[other] ?? Infinity]
    return a < b || (a === b && (this.#keys[one] ?? 0) < (this.#keys[other] ?? 0))
  }

  #swap(one: number, other: number): void {
    const [key, priority] = [this.#keys[one] as Key, this.#priorities[one] as number]
    this.#put(one, this.#keys[other] as Key, this.#priorities[other] as number)
    this.#put(other, key, priority)
  }
}
