/** What a store has for each key, read when it is first asked for, and what has taken its place since. */
export class LazyMap<Key, Value> {
  readonly #read: (key: Key) => Value | undefined
  readonly #known: Map<Key, Value | undefined>

  constructor(read: (key: Key) => Value | undefined, known: ReadonlyMap<Key, Value | undefined> = new Map()) {
    this.#read = read
    this.#known = new Map(known)
  }

  get(key: Key): Value | undefined {
    const known = this.#known.get(key)
    if (known !== undefined || this.#known.has(key)) return known
    const value = this.#read(key)
    this.#known.set(key, value)
    return value
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined
  }

  set(key: Key, value: Value): void {
    this.#known.set(key, value)
  }

  delete(key: Key): void {
    this.#known.set(key, undefined)
  }

  /** The values are shared. */
  copy(): LazyMap<Key, Value> {
    return new LazyMap(this.#read, this.#known)
  }
}
