import { skeletonsOf } from "./skeletons.ts"
import { unfitReason, withoutReservedShape } from "./reserved-names.ts"
import { cutName } from "./text.ts"

/** The names in use, by how they look [W-83]. */
export class TakenNames {
  readonly #skeletons = new Map<string, number>()
  /** The last number in use, by the look before it: many names alike do not make each other count from 2 again. */
  readonly #lastNumbers = new Map<string, number>()

  constructor(names: Iterable<string> = []) {
    for (const name of names) this.add(name)
  }

  add(name: string): void {
    for (const skeleton of skeletonsOf(name))
      this.#skeletons.set(skeleton, (this.#skeletons.get(skeleton) ?? 0) + 1)
  }

  /** Takes back one `add` of the same name. */
  remove(name: string): void {
    for (const skeleton of skeletonsOf(name)) {
      const left = (this.#skeletons.get(skeleton) ?? 0) - 1
      if (left > 0) this.#skeletons.set(skeleton, left)
      else this.#skeletons.delete(skeleton)
    }
    // Some number may be free again, and the first free one is given.
    this.#lastNumbers.clear()
  }

  /** Whether one of them looks like this name. */
  has(name: string): boolean {
    return skeletonsOf(name).some((skeleton) => this.#skeletons.has(skeleton))
  }

  /** A cleaned name itself, or with the first number behind it that makes it unlike all others and fit [W-83] [W-84]. */
  free(wanted: string): string {
    if (unfitReason(wanted) === undefined && !this.has(wanted)) return wanted
    return this.numbered(withoutReservedShape(wanted) ?? wanted)
  }

  /** A name with the first number from 2 on that makes it unlike all others. */
  numbered(base: string): string {
    const look = skeletonsOf(base).join("\n")
    for (let number = (this.#lastNumbers.get(look) ?? 1) + 1; ; number++) {
      const suffix = `-${number}`
      const name = `${cutName(base, suffix.length)}${suffix}`
      if (!this.has(name)) return name
      this.#lastNumbers.set(look, number)
    }
  }
}
