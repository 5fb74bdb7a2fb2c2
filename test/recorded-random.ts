import { toHex, type Random } from "../src/crypto/bytes.ts"

/** A source of random bytes that keeps what it gave, so that a vector can list each secret. */
export type RecordedRandom = {
  readonly random: Random
  /** What was drawn since the last call, in hex; `draws` says how often that was. */
  readonly take: (draws: number) => string[]
}

export function recordedRandom(source: Random): RecordedRandom {
  let drawn: string[] = []
  return {
    random: (length) => {
      const bytes = source(length)
      drawn.push(toHex(bytes))
      return bytes
    },
    take: (draws) => {
      const taken = drawn
      drawn = []
      if (taken.length !== draws) throw new Error(`${taken.length} draws, not ${draws}`)
      return taken
    },
  }
}

/** 00 01 02 ... from `first` on, so that anyone can make the same bytes. */
export function counting(first: number): Random {
  let next = first
  return (length) => Uint8Array.from({ length }, () => next++ & 0xff)
}
