import { concat, equal, type Psk, type PublicKey, type Random, wipe } from "../crypto/bytes.ts"
import { decodePairing, encodePairing, type PairingMessage, SID_BYTES } from "../wire/pairing.ts"
import { CLAIM_WITHIN_MS, GRANT_WITHIN_MS, REPEAT_MS } from "./clock.ts"
import type { PairingCode } from "./code.ts"
import {
  drawShare,
  type ExchangeKeys,
  exchangeKeys,
  type Grant,
  openGrant,
  type OwnShare,
} from "./exchange.ts"

/** The side that typed a code, by what it knows. Times are unix ms. */
export type Answering =
  /** The code, and not yet whether anybody offers it. */
  | {
      readonly knows: "code"
      readonly typed: Typed
      /** Once the broker has our question; an owner claims within that time even if the question got lost. */
      readonly endAt: number | undefined
    }
  /** Who offers it; the one answer is out. */
  | {
      readonly knows: "owner"
      readonly typed: Typed
      readonly owner: Uint8Array
      readonly own: OwnShare
      readonly answer: Uint8Array
      readonly repeatAt: number
      readonly endAt: number
    }
  /** The key and the owner's bundle; not yet whether this connection leads to the owner's broker. */
  | { readonly knows: "key"; readonly caller: Uint8Array; readonly proof: Uint8Array }
  /** That the broker is the owner's: our proof is out. */
  | { readonly knows: "peer"; readonly caller: Uint8Array; readonly proof: Uint8Array }
  /** That nothing will come of this code. */
  | { readonly knows: "danger" }

type Typed = { readonly code: PairingCode; readonly guest: boolean; readonly caller: Uint8Array }

export type AnswerEvent =
  /** The broker has our question. */
  | { readonly kind: "asked" }
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  /** The line in use is pinned to what the grant said. */
  | { readonly kind: "pinned" }
  | { readonly kind: "tick" }
  | { readonly kind: "cancel" }

export type AnswerTold =
  | { readonly kind: "keyed"; readonly psk: Psk; readonly grant: Grant }
  /**
   * `absent`: nobody holds the nameplate; `used`: its owner says that the code is used; `mismatch`: the owner had
   * another code, or took somebody else's answer; `silent`: the owner was there and then no more.
   */
  | { readonly kind: "failed"; readonly why: "absent" | "used" | "mismatch" | "silent" }

export type AnswerStep = {
  readonly next: Answering
  readonly send: readonly Uint8Array[]
  readonly told?: AnswerTold
}

export type AnswerWorld = { readonly now: number; readonly random: Random }

const DANGER: Answering = { knows: "danger" }

/** Asks for the owner of the code, who otherwise says so every two seconds only [P-21]. */
export function beginAnswer(code: PairingCode, guest: boolean, random: Random): AnswerStep {
  const typed = { code, guest, caller: random(SID_BYTES) }
  const ask = encodePairing({ kind: "ask", caller: typed.caller })
  return { next: { knows: "code", typed, endAt: undefined }, send: [ask] }
}

/** Unix ms at which the state wants a tick, or undefined. */
export function answerWakesAt(state: Answering): number | undefined {
  switch (state.knows) {
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

/** One event. What does not fit the state changes nothing, for anybody can write on a nameplate. */
export function answerStep(state: Answering, event: AnswerEvent, world: AnswerWorld): AnswerStep {
  switch (event.kind) {
    case "message": {
      const message = decodePairing(event.bytes)
      return message === undefined ? stay(state) : hear(state, message, world)
    }
    case "asked":
      return state.knows === "code" ? stay({ ...state, endAt: world.now + CLAIM_WITHIN_MS }) : stay(state)
    case "pinned":
      return state.knows === "key" ? { next: { ...state, knows: "peer" }, send: [proof(state)] } : stay(state)
    case "tick":
      return tick(state, world.now)
    case "cancel":
      return giveUp(state)
  }
}

function hear(state: Answering, message: PairingMessage, world: AnswerWorld): AnswerStep {
  switch (state.knows) {
    case "code":
      return hearWithCode(state, message, world)
    case "owner":
      return hearFromOwner(state, message)
    case "peer":
      return message.kind === "grant" && equal(message.caller, state.caller)
        ? { next: state, send: [proof(state)] }
        : stay(state)
    case "key":
    case "danger":
      return stay(state)
  }
}

function hearWithCode(
  state: Extract<Answering, { knows: "code" }>,
  message: PairingMessage,
  world: AnswerWorld,
): AnswerStep {
  const { caller } = state.typed
  if (message.kind === "claim") return answerTo(state.typed, message.owner, world)
  if (message.kind === "grant") return fail("used")
  return message.kind === "stop" && equal(message.caller, caller) ? fail("used") : stay(state)
}

function answerTo(typed: Typed, owner: Uint8Array, { now, random }: AnswerWorld): AnswerStep {
  const { code, guest, caller } = typed
  const own = drawShare(code, concat(owner, caller), random)
  if (own === undefined) return fail("mismatch")
  const answer = encodePairing({ kind: "answer", guest, owner, caller, share: own.share })
  const [repeatAt, endAt] = [now + REPEAT_MS, now + GRANT_WITHIN_MS]
  return { next: { knows: "owner", typed, owner, own, answer, repeatAt, endAt }, send: [answer] }
}

type WithOwner = Extract<Answering, { knows: "owner" }>

/** Two owners of one nameplate, or a grant for somebody else: the one answer this code allows may be lost [P-23]. */
function hearFromOwner(state: WithOwner, message: PairingMessage): AnswerStep {
  const { caller } = state.typed
  switch (message.kind) {
    case "claim":
      return equal(message.owner, state.owner) ? stay(state) : giveUp(state, "mismatch")
    case "grant":
      return equal(message.caller, caller) ? takeGrant(state, message) : giveUp(state, "mismatch")
    case "stop":
      return equal(message.caller, caller) ? giveUp(state, "mismatch") : stay(state)
    case "answer":
    case "proof":
    case "ask":
      return stay(state)
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
    next: { knows: "key", caller: typed.caller, proof: keys.callerProof },
    send: [],
    told: { kind: "keyed", psk: keys.psk, grant },
  }
}

function keysWith({ scalar, share }: OwnShare, theirs: PublicKey, sid: Uint8Array): ExchangeKeys | undefined {
  return exchangeKeys(scalar, theirs, { sid, callerShare: share, ownerShare: theirs })
}

function tick(state: Answering, now: number): AnswerStep {
  switch (state.knows) {
    case "code":
      return state.endAt !== undefined && now >= state.endAt ? fail("absent") : stay(state)
    case "owner":
      if (now >= state.endAt) return giveUp(state, "silent")
      return now < state.repeatAt
        ? stay(state)
        : { next: { ...state, repeatAt: now + REPEAT_MS }, send: [state.answer] }
    case "key":
    case "peer":
    case "danger":
      return stay(state)
  }
}

/** Tells the owner, whose screen then says the same at once instead of after two minutes [P-24]. */
function giveUp(state: Answering, why?: "mismatch" | "silent"): AnswerStep {
  if (state.knows === "code" || state.knows === "danger") return { next: DANGER, send: [] }
  if (state.knows === "owner") wipe(state.own.scalar)
  const caller = state.knows === "owner" ? state.typed.caller : state.caller
  const send = [encodePairing({ kind: "stop", caller })]
  return { next: DANGER, send, ...(why === undefined ? {} : { told: { kind: "failed", why } }) }
}

function fail(why: "absent" | "used" | "mismatch"): AnswerStep {
  return { next: DANGER, send: [], told: { kind: "failed", why } }
}

function stay(state: Answering): AnswerStep {
  return { next: state, send: [] }
}

function proof({ caller, proof: shown }: { caller: Uint8Array; proof: Uint8Array }): Uint8Array {
  return encodePairing({ kind: "proof", caller, proof: shown })
}
