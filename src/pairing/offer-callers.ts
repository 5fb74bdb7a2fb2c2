import { concat, equal, wipe } from "../crypto/bytes.ts"
import type { PairingMessage } from "../wire/pairing.ts"
import { drawShare, exchangeKeys } from "./exchange.ts"
import { ANSWERS_MAX, guessesAllowed } from "./guesses.ts"
import {
  type AtNameplate,
  type Call,
  callers,
  claim,
  fail,
  findCall,
  isOwnAsk,
  isSpent,
  type OfferInput,
  type OfferState,
  type OfferStep,
  type Plate,
  share,
  spend,
  stop,
  unchanged,
} from "./offer-state.ts"
import { PROOF_WITHIN_MS, READY_WITHIN_MS } from "./timeouts.ts"

/** Claims the nameplate at each question, and lets each caller prove the code once [P-21] [P-22]. */
export function receiveAtNameplate(
  state: AtNameplate,
  message: PairingMessage,
  input: OfferInput,
): OfferStep {
  switch (message.kind) {
    case "ask":
      return isOwnAsk(state.plate, message) ? unchanged(state) : { next: state, send: [claim(state.plate)] }
    case "answer":
      return equal(message.owner, state.plate.owner) ? receiveAnswer(state, message, input) : unchanged(state)
    case "proof":
      return receiveProof(state, message, input)
    case "stop":
      return unchanged(findCall(state, message.caller) ? spend(state, message.caller) : state)
    case "claim":
    case "share":
    case "grant":
      return unchanged(state)
  }
}

type Answer = Extract<PairingMessage, { kind: "answer" }>

/** A repeated answer gets the same share; another share from the same caller changes nothing [P-22]. */
function receiveAnswer(state: AtNameplate, answer: Answer, input: OfferInput): OfferStep {
  const known = findCall(state, answer.caller)
  if (known !== undefined) {
    const isRepeated = known.counted && equal(answer.share, known.theirs)
    return { next: state, send: isRepeated ? [share(known)] : [] }
  }
  if (isSpent(state, answer.caller)) return { next: state, send: [stop(answer.caller)] }
  if (state.calls.length + state.spent.length >= ANSWERS_MAX) {
    return fail("crowded", [...callers(state), answer.caller])
  }
  const call = takeCall(state.plate, answer, input)
  // A share of low order ends this exchange, and tests no guess [P-12].
  if (call === undefined) return { next: spend(state, answer.caller), send: [stop(answer.caller)] }
  return {
    next: { ...state, calls: [...state.calls, call] },
    send: [],
    effect: { kind: "answered", caller: call.caller, share: call.ours },
  }
}

function takeCall(
  { code, owner }: Plate,
  { caller, guest, share: theirs }: Answer,
  { now, random }: OfferInput,
): Call | undefined {
  const sid = concat(owner, caller)
  const own = drawShare(code, sid, random)
  if (own === undefined) return undefined
  const keys = exchangeKeys(own.scalar, theirs, { sid, callerShare: theirs, ownerShare: own.share })
  wipe(own.scalar)
  return (
    keys && { caller, guest, theirs, ours: own.share, keys, counted: false, endAt: now + PROOF_WITHIN_MS }
  )
}

/** Our share leaves only after the guess is on disk [P-25]. */
export function shareWith(state: OfferState, caller: Uint8Array): OfferStep {
  const call = state.kind === "nameplate" ? findCall(state, caller) : undefined
  if (state.kind !== "nameplate" || call === undefined || call.counted) return unchanged(state)
  const calls = state.calls.map((one) => (one === call ? { ...call, counted: true } : one))
  return { next: { ...state, calls }, send: [share(call)] }
}

type Proof = Extract<PairingMessage, { kind: "proof" }>

/** The right proof ends the attempts of all others; a wrong one is a guess [P-22] [P-23]. */
function receiveProof(state: AtNameplate, { caller, proof }: Proof, { now }: OfferInput): OfferStep {
  const call = findCall(state, caller)
  if (call === undefined) return { next: state, send: isSpent(state, caller) ? [stop(caller)] : [] }
  if (!call.counted) return unchanged(state)
  if (!equal(proof, call.keys.callerProof)) return countWrong(state, call)
  const others = state.calls.filter((one) => one !== call)
  return {
    next: { kind: "caller", call, endAt: now + READY_WITHIN_MS },
    send: others.map((other) => stop(other.caller)),
    effect: { kind: "proved", share: call.ours, guest: call.guest, psk: call.keys.psk },
  }
}

function countWrong(state: AtNameplate, { caller }: Call): OfferStep {
  const wrong = state.wrong + 1
  const left = guessesAllowed(state.plate.code) - wrong
  if (left <= 0) return fail("mismatch", callers(state))
  return {
    next: { ...spend(state, caller), wrong },
    send: [stop(caller)],
    effect: { kind: "guessed", left },
  }
}
