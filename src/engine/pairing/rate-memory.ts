import { equal, type PublicKey, utf8 } from "../../crypto/bytes.ts"
import { hash32 } from "../../crypto/kdf.ts"
import { KEY_BYTES } from "../../crypto/sizes.ts"
import type { PairingCode } from "../../pairing/code.ts"
import { guessesAllowed } from "../../pairing/guesses.ts"
import { HOUR_MS } from "../../time-units.ts"
import { decode, type Reader, Writer } from "../../wire/codec.ts"
import { type Change, type Decision, noChange } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { profileSetting, saveProfileSetting } from "../state/profile-settings.ts"

/** As many as two codes can be answered before they end; only the last hour counts, and five of it. */
const GUESSES_MAX = 32
/** Tried codes are few, and older ones have expired on the other side. */
const TRIED_CODES_MAX = 16
const HASH_BYTES = 16

/** One answer to an offer of ours without a right proof so far: the share that we drew for it, and its time, unix ms. */
type Guess = { readonly share: PublicKey; readonly at: number }
/** How often we proved a code to an owner who has not proved it to us. */
type Tried = { readonly hash: Uint8Array; readonly count: number }

/**
 * The record of exchanges that may have tested a guess, on either side [P-25]. An entry is written before the answer to it
 * leaves and struck out on success, so that it stays whatever ends the process.
 */
type PairMemory = { readonly guesses: readonly Guess[]; readonly tried: readonly Tried[] }

/** Answers without a right proof within the last hour. */
export function recentGuesses(state: EngineState, now: number): number {
  return pairMemory(state).guesses.filter(({ at }) => Math.abs(now - at) < HOUR_MS).length
}

/** An answer to our offer; until its sender proves the code, it is a guess. */
export function rememberGuess(state: EngineState, guess: Guess): Decision<null> {
  const { guesses, tried } = pairMemory(state)
  return {
    commit: saved({ guesses: [...guesses, guess].slice(-GUESSES_MAX), tried }),
    effects: [],
    result: null,
  }
}

/** The caller had the code. */
export function strikeGuess(state: EngineState, share: PublicKey): readonly Change[] {
  const { guesses, tried } = pairMemory(state)
  return saved({ guesses: guesses.filter((guess) => !equal(guess.share, share)), tried })
}

/** Whether a code that we typed may be proved once more; an owner without it has had its guesses. */
export function mayTry(state: EngineState, code: PairingCode): boolean {
  return triesOf(pairMemory(state), hashOf(code)) < guessesAllowed(code)
}

/** Counts this try, if there is one left: reading and writing are one step, since two may run at once. */
export function rememberTry(state: EngineState, code: PairingCode): Decision<boolean> {
  if (!mayTry(state, code)) return noChange(false)
  return { commit: changeTries(state, code, 1), effects: [], result: true }
}

/** The owner had the code too. */
export function strikeTry(state: EngineState, code: PairingCode): Decision<null> {
  return { commit: changeTries(state, code, -1), effects: [], result: null }
}

function changeTries(state: EngineState, code: PairingCode, by: 1 | -1): readonly Change[] {
  const memory = pairMemory(state)
  const hash = hashOf(code)
  const count = Math.max(0, triesOf(memory, hash) + by)
  const others = memory.tried.filter((one) => !equal(one.hash, hash))
  const tried = count === 0 ? others : [...others, { hash, count }].slice(-TRIED_CODES_MAX)
  return saved({ guesses: memory.guesses, tried })
}

function triesOf({ tried }: PairMemory, hash: Uint8Array): number {
  return tried.find((one) => equal(one.hash, hash))?.count ?? 0
}

function pairMemory(state: EngineState): PairMemory {
  return decode(profileSetting(state, "pairing"), readMemory) ?? { guesses: [], tried: [] }
}

function saved({ guesses, tried }: PairMemory): readonly Change[] {
  const writer = new Writer().u8(guesses.length)
  for (const { share, at } of guesses) writer.bytes(share).u64(at)
  writer.u8(tried.length)
  for (const { hash, count } of tried) writer.bytes(hash).u8(count)
  return saveProfileSetting("pairing", writer.done()).commit
}

function readMemory(reader: Reader): PairMemory {
  const guesses = Array.from({ length: reader.u8() }, () => ({
    share: reader.bytes(KEY_BYTES) as PublicKey,
    at: reader.u64(),
  }))
  const tried = Array.from({ length: reader.u8() }, () => ({
    hash: reader.bytes(HASH_BYTES),
    count: reader.u8(),
  }))
  return { guesses, tried }
}

function hashOf({ text }: PairingCode): Uint8Array {
  return hash32(utf8("mqttchat/1 tried code"), utf8(text)).slice(0, HASH_BYTES)
}
