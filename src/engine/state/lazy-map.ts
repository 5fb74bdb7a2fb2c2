import { Fault } from "../../errors.ts"
import type { Rows } from "../../store/rows.ts"

/** Without `get` all are read at once, without `all` they are only read one by one. */
type Source<Key, Value> = Partial<Rows<Key, Value>>

export function oneByOne<Key, Value>(get: (key: Key) => Value | undefined): Source<Key, Value> {
  return { get }
}

export function allAtOnce<Key, Value>(all: Rows<Key, Value>["all"]): Source<Key, Value> {
  return { all }
}

/**
 * What a table of the store holds, read when it is first asked for, and what has taken its place since. What is not there is
 * asked for again each time: a stranger chooses some of the keys, and none of them is kept.
 */
export class LazyMap<Key, Value> {
  readonly #rows: Source<Key, Value>
  /** Undefined: it is not there any more, and may still be on the disk. */
  #known: Map<Key, Value | undefined>
  #isWhole = false
  /** The other one of the same table: what the disk holds is the same for both until one of them changes it. */
  #twin: LazyMap<Key, Value> | undefined
  /** Whether its changes are on the disk before it has them. */
  readonly #follows: boolean

  constructor(
    rows: Source<Key, Value>,
    known: ReadonlyMap<Key, Value | undefined> = new Map(),
    follows = true,
  ) {
    this.#rows = rows
    this.#known = new Map(known)
    this.#follows = follows
  }

  get(key: Key): Value | undefined {
    const known = this.#known.get(key)
    if (known !== undefined || this.#isWhole || this.#known.has(key)) return known
    const value = this.#rows.get === undefined ? this.#readAll().get(key) : this.#rows.get(key)
    if (value === undefined) return undefined
    this.#known.set(key, value)
    if (this.#twin !== undefined) this.#twin.#learn(key, value)
    return value
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined
  }

  set(key: Key, value: Value): void {
    this.#known.set(key, value)
  }

  delete(key: Key): void {
    if (!this.#follows) {
      this.#known.set(key, undefined)
      return
    }
    this.#known.delete(key)
    if (this.#twin !== undefined) this.#twin.#forgetDeleted(key)
  }

  /** By rising key as they are on the disk, and then the new ones. */
  *[Symbol.iterator](): Generator<[Key, Value]> {
    for (const [key, value] of this.#readAll()) if (value !== undefined) yield [key, value]
  }

  *keys(): Generator<Key> {
    for (const [key] of this) yield key
  }

  *values(): Generator<Value> {
    for (const [, value] of this) yield value
  }

  get size(): number {
    return this.#follows ? this.#readAll().size : [...this.keys()].length
  }

  /** The values are shared. The copy has its changes before they are on the disk; only one is made at a time. */
  copy(): LazyMap<Key, Value> {
    const copy = new LazyMap(this.#rows, this.#known, false)
    copy.#isWhole = this.#isWhole
    copy.#twin = this
    this.#twin = copy
    return copy
  }

  #learn(key: Key, value: Value): void {
    if (!this.#known.has(key)) this.#known.set(key, value)
  }

  #forgetDeleted(key: Key): void {
    if (this.#known.get(key) === undefined) this.#known.delete(key)
  }

  #readAll(): ReadonlyMap<Key, Value | undefined> {
    if (this.#isWhole) return this.#known
    if (this.#rows.all === undefined) throw new Fault("bug", "these are read one by one")
    const rows = [...this.#rows.all()]
    this.#fill(rows)
    if (this.#twin !== undefined) this.#twin.#fill(rows)
    return this.#known
  }

  #fill(rows: Iterable<readonly [Key, Value]>): void {
    if (this.#isWhole) return
    const all = new Map<Key, Value | undefined>(rows)
    for (const [key, value] of this.#known) all.set(key, value)
    this.#known = all
    this.#isWhole = true
  }
}
