import { equal, utf8 } from "../../crypto/bytes.ts"
import { hash32 } from "../../crypto/kdf.ts"
import type { PairingCode } from "../../pairing/code.ts"
import { HOUR_MS } from "../../time-units.ts"
import { decode, type Reader, Writer } from "../../wire/codec.ts"
import type { Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { profileSetting, saveProfileSetting } from "../state/profile-settings.ts"

/** Each try at a code is a guess with chance 2^-22; an attacker who makes us offer repeatedly gets no more than these. */
const GUESSES_PER_HOUR = 5
/** Failed codes are few, and older ones have expired on the other side. */
const DEAD_CODES_MAX = 16
const HASH_BYTES = 16

/** The record of failed exchanges: their times, and the codes that this profile must not try again [P-25]. */
type PairMemory = { readonly failedAt: readonly number[]; readonly dead: readonly Uint8Array[] }

export function mayOffer(state: EngineState, now: number): boolean {
  const recent = pairMemory(state).failedAt.filter((at) => Math.abs(now - at) < HOUR_MS)
  return recent.length < GUESSES_PER_HOUR
}

export function isDead(state: EngineState, code: PairingCode): boolean {
  return pairMemory(state).dead.some((hash) => equal(hash, hashOf(code)))
}

/** A caller without the code answered our offer. */
export function rememberGuess(state: EngineState, now: number): Decision<null> {
  const { failedAt, dead } = pairMemory(state)
  return remembered({ failedAt: [...failedAt, now].slice(-GUESSES_PER_HOUR), dead })
}

/** A code that we typed did not match the offer's. */
export function rememberDead(state: EngineState, code: PairingCode): Decision<null> {
  const { failedAt, dead } = pairMemory(state)
  return remembered({ failedAt, dead: [...dead, hashOf(code)].slice(-DEAD_CODES_MAX) })
}

function pairMemory(state: EngineState): PairMemory {
  return decode(profileSetting(state, "pairing"), readMemory) ?? { failedAt: [], dead: [] }
}

function remembered({ failedAt, dead }: PairMemory): Decision<null> {
  const writer = new Writer().u8(failedAt.length)
  for (const at of failedAt) writer.u64(at)
  writer.u8(dead.length)
  for (const hash of dead) writer.bytes(hash)
  return saveProfileSetting("pairing", writer.done())
}

function readMemory(reader: Reader): PairMemory {
  const failedAt = Array.from({ length: reader.u8() }, () => reader.u64())
  const dead = Array.from({ length: reader.u8() }, () => reader.bytes(HASH_BYTES))
  return { failedAt, dead }
}

function hashOf({ text }: PairingCode): Uint8Array {
  return hash32(utf8("mqttchat/1 dead code"), utf8(text)).slice(0, HASH_BYTES)
}
