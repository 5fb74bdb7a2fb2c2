import { equal, utf8 } from "../../crypto/bytes.ts"
import { hash32 } from "../../crypto/kdf.ts"
import type { PairingCode } from "../../pairing/code.ts"
import type { Store, Write } from "../../store/records.ts"
import { HOUR_MS } from "../../time-units.ts"
import { decode, type Reader, Writer } from "../../wire/codec.ts"

/** Each try at a code is a guess with chance 2^-22; whoever makes us offer again and again gets no more of them. */
const GUESSES_PER_HOUR = 5
/** Dead codes are few, and older ones have expired on the other side. */
const DEAD_CODES_MAX = 16
const HASH_BYTES = 16
const SETTING = "pairing"

/** What failed exchanges leave behind: when they were, and which codes this profile must not try again [P-25]. */
export type PairMemory = { readonly failedAt: readonly number[]; readonly dead: readonly Uint8Array[] }

export async function readPairMemory(store: Store): Promise<PairMemory> {
  const { settings } = await store.load()
  const bytes = settings.get(SETTING)
  const known = bytes && decode(bytes, readMemory)
  return known ?? { failedAt: [], dead: [] }
}

export function mayOffer({ failedAt }: PairMemory, now: number): boolean {
  return failedAt.filter((at) => Math.abs(now - at) < HOUR_MS).length < GUESSES_PER_HOUR
}

export function isDead({ dead }: PairMemory, code: PairingCode): boolean {
  return dead.some((hash) => equal(hash, hashOf(code)))
}

/** An offer of ours was answered by somebody without the code. */
export function rememberGuess({ failedAt, dead }: PairMemory, now: number): Write {
  return write({ failedAt: [...failedAt, now].slice(-GUESSES_PER_HOUR), dead })
}

/** A code that we typed met another one. */
export function rememberDead({ failedAt, dead }: PairMemory, code: PairingCode): Write {
  return write({ failedAt, dead: [...dead, hashOf(code)].slice(-DEAD_CODES_MAX) })
}

function write({ failedAt, dead }: PairMemory): Write {
  const writer = new Writer().u8(failedAt.length)
  for (const at of failedAt) writer.u64(at)
  writer.u8(dead.length)
  for (const hash of dead) writer.bytes(hash)
  return { kind: "setting", key: SETTING, value: writer.done() }
}

function readMemory(reader: Reader): PairMemory {
  const failedAt = Array.from({ length: reader.u8() }, () => reader.u64())
  const dead = Array.from({ length: reader.u8() }, () => reader.bytes(HASH_BYTES))
  return { failedAt, dead }
}

function hashOf({ text }: PairingCode): Uint8Array {
  return hash32(utf8("mqttchat/1 dead code"), utf8(text)).slice(0, HASH_BYTES)
}
