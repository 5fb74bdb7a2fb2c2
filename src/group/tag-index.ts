import { expectedTags, type ReceivingChain } from "./receiving-chain.ts"

/** As many bits of a tag as V8 keeps in a number without memory of its own. */
const PREFIX_BITS = 30
/** More than `GROUP_CHAIN_MAX`: a chain and a number in it are one number. */
const NUMBERS = 256

/** Where a message may belong: a chain, by the number under which it was added, and the message's number in it. */
export type TagMatch = { readonly chain: number; readonly n: number }

/**
 * The tags of all chains of an epoch, so that a message of a stranger costs one look-up [G-25]. It holds 30 bits of a
 * tag, about 40 bytes of memory each; the reader of the chain compares the rest.
 */
export class TagIndex {
  readonly #matches = new Map<number, number | number[]>()

  /** `chain` is a number below 2^22 that the caller chose. */
  add(chain: number, keys: ReceivingChain): void {
    for (const [tag, n] of expectedTags(keys)) this.#put(prefixOf(tag), chain * NUMBERS + n)
  }

  /** What may have sent `wire`; rarely more than one. */
  find(wire: Uint8Array): readonly TagMatch[] {
    const found = this.#matches.get(prefixOf(wire))
    if (found === undefined) return []
    const positions = typeof found === "number" ? [found] : found
    return positions.map((position) => ({ chain: Math.floor(position / NUMBERS), n: position % NUMBERS }))
  }

  #put(prefix: number, position: number): void {
    const before = this.#matches.get(prefix)
    if (before === undefined) this.#matches.set(prefix, position)
    else if (typeof before === "number") this.#matches.set(prefix, [before, position])
    else before.push(position)
  }
}

function prefixOf(tag: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = tag
  return (a | (b << 8) | (c << 16) | ((d & 0x3f) << 24)) & (2 ** PREFIX_BITS - 1)
}
