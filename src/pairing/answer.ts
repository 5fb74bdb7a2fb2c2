import { concat, equal, type Psk, type PublicKey, type Random, wipe } from "../crypto/bytes.ts"
import { decodePairing, encodePairing, type PairingMessage, SID_BYTES } from "../wire/pairing.ts"
import { CLAIM_WITHIN_MS, GRANT_WITHIN_MS, REPEAT_MS } from "./timeouts.ts"
import type { PairingCode } from "./code.ts"
import {
  drawShare,
  type ExchangeKeys,
  exchangeKeys,
  type Grant,
  openGrant,
  type OwnShare,
} from "./exchange.ts"

/** The side that typed a code, by what it knows: each state names what is added. Times are unix ms. */
export type AnswerState =
  /** The code; not yet whether it is offered. */
  | {
      readonly kind: "code"
      readonly typed: Typed
      /** Once the broker has our question; an owner claims within that time even if the question was lost. */
      readonly endAt: number | undefined
    }
  /** Who offers it; the one answer has been sent. */
  | {
      readonly kind: "owner"
      readonly typed: Typed
      readonly owner: Uint8Array
      readonly own: OwnShare
      readonly answer: Uint8Array
      readonly repeatAt: number
      readonly endAt: number
    }
  /** The key and the owner's bundle; not yet whether this connection leads to the owner's broker. */
  | { readonly kind: "key"; readonly caller: Uint8Array; readonly proof: Uint8Array }
  /** That the broker is the owner's: our proof has been sent. */
  | { readonly kind: "peer"; readonly caller: Uint8Array; readonly proof: Uint8Array }
  /** That this code has failed. */
  | { readonly kind: "danger" }

type Typed = { readonly code: PairingCode; readonly guest: boolean; readonly caller: Uint8Array }

export type AnswerEvent =
  /** The broker has our question. */
  | { readonly kind: "asked" }
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  /** The connection in use has the pin of the grant. */
  | { readonly kind: "pinned" }
  | { readonly kind: "tick" }
  | { readonly kind: "cancel" }

export type AnswerEffect =
  | { readonly kind: "keyed"; readonly psk: Psk; readonly grant: Grant }
  /**
   * `absent`: the nameplate is free; `used`: its owner reports that the code is used; `mismatch`: the owner had
   * another code, or took another caller's answer; `silent`: the owner stopped answering.
   */
  | { readonly kind: "failed"; readonly why: "absent" | "used" | "mismatch" | "silent" }

export type AnswerStep = {
  readonly next: AnswerState
  readonly send: readonly Uint8Array[]
  readonly effect?: AnswerEffect
}

export type AnswerInput = { readonly now: number; readonly random: Random }

const DANGER: AnswerState = { kind: "danger" }

/** Asks for the owner of the code, who otherwise claims it only every two seconds [P-21]. */
export function beginAnswer(code: PairingCode, guest: boolean, random: Random): AnswerStep {
  const typed = { code, guest, caller: random(SID_BYTES) }
  const ask = encodePairing({ kind: "ask", caller: typed.caller })
  return { next: { kind: "code", typed, endAt: undefined }, send: [ask] }
}

/** Unix ms at which the state wants a tick, or undefined. */
export function answerWakesAt(state: AnswerState): number | undefined {
  switch (state.kind) {
    case "code":
      return state.endAt
    case "owner":
      return Math.min(state.repeatAt, state.endAt)
    case "key":
    case "peer":
    case "danger":
      return undefined
  }
}

/** Applies one event. An event that does not fit the state changes nothing, since anyone can publish on a nameplate. */
export function answerStep(state: AnswerState, event: AnswerEvent, input: AnswerInput): AnswerStep {
  switch (event.kind) {
    case "message": {
      const message = decodePairing(event.bytes)
      return message === undefined ? unchanged(state) : receive(state, message, input)
    }
    case "asked":
      return state.kind === "code"
        ? unchanged({ ...state, endAt: input.now + CLAIM_WITHIN_MS })
        : unchanged(state)
    case "pinned":
      return state.kind === "key"
        ? { next: { ...state, kind: "peer" }, send: [proof(state)] }
        : unchanged(state)
    case "tick":
      return tick(state, input.now)
    case "cancel":
      return giveUp(state)
  }
}

function receive(state: AnswerState, message: PairingMessage, input: AnswerInput): AnswerStep {
  switch (state.kind) {
    case "code":
      return receiveWithCode(state, message, input)
    case "owner":
      return receiveFromOwner(state, message)
    case "peer":
      return message.kind === "grant" && equal(message.caller, state.caller)
        ? { next: state, send: [proof(state)] }
        : unchanged(state)
    case "key":
    case "danger":
      return unchanged(state)
  }
}

function receiveWithCode(
  state: Extract<AnswerState, { kind: "code" }>,
  message: PairingMessage,
  input: AnswerInput,
): AnswerStep {
  const { caller } = state.typed
  if (message.kind === "claim") return answerTo(state.typed, message.owner, input)
  if (message.kind === "grant") return fail("used")
  return message.kind === "stop" && equal(message.caller, caller) ? fail("used") : unchanged(state)
}

function answerTo(typed: Typed, owner: Uint8Array, { now, random }: AnswerInput): AnswerStep {
  const { code, guest, caller } = typed
  const own = drawShare(code, concat(owner, caller), random)
  if (own === undefined) return fail("mismatch")
  const answer = encodePairing({ kind: "answer", guest, owner, caller, share: own.share })
  const [repeatAt, endAt] = [now + REPEAT_MS, now + GRANT_WITHIN_MS]
  return { next: { kind: "owner", typed, owner, own, answer, repeatAt, endAt }, send: [answer] }
}

type WithOwner = Extract<AnswerState, { kind: "owner" }>

/** Two owners of one nameplate, or a grant for another caller: the only answer that this code allows may be lost [P-23]. */
function receiveFromOwner(state: WithOwner, message: PairingMessage): AnswerStep {
  const { caller } = state.typed
  switch (message.kind) {
    case "claim":
      return equal(message.owner, state.owner) ? unchanged(state) : giveUp(state, "mismatch")
    case "grant":
      return equal(message.caller, caller) ? takeGrant(state, message) : giveUp(state, "mismatch")
    case "stop":
      return equal(message.caller, caller) ? giveUp(state, "mismatch") : unchanged(state)
    case "answer":
    case "proof":
    case "ask":
      return unchanged(state)
  }
}

/** Only an owner with the same code can have made a grant that passes [P-12] [P-14]. */
function takeGrant(state: WithOwner, message: Extract<PairingMessage, { kind: "grant" }>): AnswerStep {
  const { typed, owner, own } = state
  const keys = keysWith(own, message.share, concat(owner, typed.caller))
  wipe(own.scalar)
  if (keys === undefined || !equal(message.proof, keys.ownerProof)) return giveUp(state, "mismatch")
  const grant = openGrant(message, keys.grantKey)
  wipe(keys.grantKey)
  if (grant === undefined) return giveUp(state, "mismatch")
  return {
    next: { kind: "key", caller: typed.caller, proof: keys.callerProof },
    send: [],
    effect: { kind: "keyed", psk: keys.psk, grant },
  }
}

function keysWith({ scalar, share }: OwnShare, theirs: PublicKey, sid: Uint8Array): ExchangeKeys | undefined {
  return exchangeKeys(scalar, theirs, { sid, callerShare: share, ownerShare: theirs })
}

function tick(state: AnswerState, now: number): AnswerStep {
  switch (state.kind) {
    case "code":
      return state.endAt !== undefined && now >= state.endAt ? fail("absent") : unchanged(state)
    case "owner":
      if (now >= state.endAt) return giveUp(state, "silent")
      return now < state.repeatAt
        ? unchanged(state)
        : { next: { ...state, repeatAt: now + REPEAT_MS }, send: [state.answer] }
    case "key":
    case "peer":
    case "danger":
      return unchanged(state)
  }
}

/** Tells the owner, whose screen then shows the same at once instead of after two minutes [P-24]. */
function giveUp(state: AnswerState, why?: "mismatch" | "silent"): AnswerStep {
  if (state.kind === "code" || state.kind === "danger") return { next: DANGER, send: [] }
  if (state.kind === "owner") wipe(state.own.scalar)
  const caller = state.kind === "owner" ? state.typed.caller : state.caller
  const send = [encodePairing({ kind: "stop", caller })]
  return { next: DANGER, send, ...(why === undefined ? {} : { effect: { kind: "failed", why } }) }
}

function fail(why: "absent" | "used" | "mismatch"): AnswerStep {
  return { next: DANGER, send: [], effect: { kind: "failed", why } }
}

function unchanged(state: AnswerState): AnswerStep {
  return { next: state, send: [] }
}

function proof({ caller, proof: shown }: { caller: Uint8Array; proof: Uint8Array }): Uint8Array {
  return encodePairing({ kind: "proof", caller, proof: shown })
}
