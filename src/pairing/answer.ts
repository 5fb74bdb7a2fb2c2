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
  /** Who offers it; our answer has been sent. */
  | {
      readonly kind: "owner"
      readonly typed: Typed
      readonly owner: Uint8Array
      readonly own: OwnShare
      readonly answer: Uint8Array
      readonly repeatAt: number
      readonly endAt: number
    }
  /** The key, if the owner has the same code. Our proof would tell an owner who guessed it, so this try is counted first. */
  | { readonly kind: "key"; readonly caller: Uint8Array; readonly keys: ExchangeKeys }
  /** That this try is on disk: our proof has been sent. */
  | {
      readonly kind: "proof"
      readonly caller: Uint8Array
      readonly keys: ExchangeKeys
      readonly repeatAt: number
      readonly endAt: number
    }
  /** The owner's proof and bundle. */
  | { readonly kind: "peer"; readonly caller: Uint8Array }
  /** That this code has failed. */
  | { readonly kind: "danger" }

type Typed = { readonly code: PairingCode; readonly guest: boolean; readonly caller: Uint8Array }

export type AnswerEvent =
  /** The broker has our question. */
  | { readonly kind: "asked" }
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  /** This try of the code is on disk. */
  | { readonly kind: "counted" }
  | { readonly kind: "tick" }
  | { readonly kind: "cancel" }

export type AnswerEffect =
  /** Write this try of the code to the disk, then report "counted". */
  | { readonly kind: "keyed" }
  /** The owner has the same code: strike the try out, and check the broker before the grant is used. */
  | { readonly kind: "proved"; readonly psk: Psk; readonly grant: Grant }
  /**
   * `absent`: the nameplate is free; `used`: its owner reports that the code is used; `mismatch`: the owner had
   * another code, or served another caller; `silent`: the owner stopped answering.
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
    case "proof":
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
    case "counted":
      return state.kind === "key" ? prove(state, input.now) : unchanged(state)
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
    case "key":
    case "proof":
      return receiveWithKey(state, message)
    case "peer":
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

/** Two owners of one nameplate, or a grant for another caller: this code is lost [P-23]. */
function receiveFromOwner(state: WithOwner, message: PairingMessage): AnswerStep {
  const { caller } = state.typed
  switch (message.kind) {
    case "claim":
      return equal(message.owner, state.owner) ? unchanged(state) : giveUp(state, "mismatch")
    case "share":
      return equal(message.caller, caller) ? takeShare(state, message.share) : unchanged(state)
    case "grant":
      return giveUp(state, "mismatch")
    case "stop":
      return equal(message.caller, caller) ? giveUp(state, "mismatch") : unchanged(state)
    case "answer":
    case "proof":
    case "ask":
      return unchanged(state)
  }
}

function takeShare(state: WithOwner, theirs: PublicKey): AnswerStep {
  const { typed, owner, own } = state
  const transcript = { sid: concat(owner, typed.caller), callerShare: own.share, ownerShare: theirs }
  const keys = exchangeKeys(own.scalar, theirs, transcript)
  if (keys === undefined) return giveUp(state, "mismatch")
  wipe(own.scalar)
  return { next: { kind: "key", caller: typed.caller, keys }, send: [], effect: { kind: "keyed" } }
}

type WithKey = Extract<AnswerState, { kind: "key" | "proof" }>

function prove({ caller, keys }: WithKey, now: number): AnswerStep {
  const [repeatAt, endAt] = [now + REPEAT_MS, now + GRANT_WITHIN_MS]
  const next = { kind: "proof", caller, keys, repeatAt, endAt } as const
  return { next, send: [proof(next)] }
}

/** Nothing can answer a proof that was not sent. */
function receiveWithKey(state: WithKey, message: PairingMessage): AnswerStep {
  switch (message.kind) {
    case "grant":
      if (!equal(message.caller, state.caller)) return giveUp(state, "mismatch")
      return state.kind === "proof" ? takeGrant(state, message) : unchanged(state)
    case "stop":
      return equal(message.caller, state.caller) ? giveUp(state, "mismatch") : unchanged(state)
    case "claim":
    case "answer":
    case "share":
    case "proof":
    case "ask":
      return unchanged(state)
  }
}

/** Only an owner with the same code can have made a grant that passes [P-12] [P-14]. */
function takeGrant(state: WithKey, message: Extract<PairingMessage, { kind: "grant" }>): AnswerStep {
  const { caller, keys } = state
  const grant = equal(message.proof, keys.ownerProof) ? openGrant(message, keys.grantKey) : undefined
  if (grant === undefined) return giveUp(state, "mismatch")
  wipe(keys.grantKey)
  return { next: { kind: "peer", caller }, send: [], effect: { kind: "proved", psk: keys.psk, grant } }
}

function tick(state: AnswerState, now: number): AnswerStep {
  switch (state.kind) {
    case "code":
      return state.endAt !== undefined && now >= state.endAt ? fail("absent") : unchanged(state)
    case "owner":
    case "proof":
      if (now >= state.endAt) return giveUp(state, "silent")
      return now < state.repeatAt
        ? unchanged(state)
        : { next: { ...state, repeatAt: now + REPEAT_MS }, send: [unanswered(state)] }
    case "key":
    case "peer":
    case "danger":
      return unchanged(state)
  }
}

/** Tells the owner, whose screen then shows the same at once instead of after a while [P-24]. */
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

function unanswered(state: Extract<AnswerState, { kind: "owner" | "proof" }>): Uint8Array {
  return state.kind === "owner" ? state.answer : proof(state)
}

function proof({ caller, keys }: WithKey): Uint8Array {
  return encodePairing({ kind: "proof", caller, proof: keys.callerProof })
}
