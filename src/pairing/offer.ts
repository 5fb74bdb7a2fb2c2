import { concat, equal, type Psk, type PublicKey, type Random, wipe } from "../crypto/bytes.ts"
import { decodePairing, encodePairing, type PairingMessage, SID_BYTES } from "../wire/pairing.ts"
import { CODE_LIFETIME_MS, LISTEN_MS, PROOF_WITHIN_MS, REPEAT_MS } from "./timeouts.ts"
import type { PairingCode } from "./code.ts"
import { drawShare, type ExchangeKeys, exchangeKeys, type Grant, sealGrant } from "./exchange.ts"

/** The side that shows a code, by what it knows: each state names what is added. Times are unix ms. */
export type OfferState =
  /** Whether the nameplate is free; `showAt` once the broker has our question. */
  | { readonly kind: "nothing"; readonly plate: Plate; readonly showAt: number | undefined }
  /** That the nameplate is ours: the code is on the screen. */
  | { readonly kind: "nameplate"; readonly plate: Plate; readonly claimAt: number; readonly endAt: number }
  /** Whose answer it took, the only one for this code. Their grant is being fetched. */
  | { readonly kind: "caller"; readonly plate: Plate; readonly call: Call; readonly endAt: number }
  /** The key, if the caller's code is ours; only their proof will show that. */
  | {
      readonly kind: "key"
      readonly plate: Plate
      readonly call: Call
      readonly grant: Uint8Array
      readonly repeatAt: number
      readonly endAt: number
    }
  /** That the caller has the code. */
  | { readonly kind: "peer"; readonly caller: Uint8Array }
  /** That this code has failed. */
  | { readonly kind: "danger" }

type Plate = { readonly code: PairingCode; readonly owner: Uint8Array }
type Call = {
  readonly caller: Uint8Array
  readonly theirs: PublicKey
  readonly ours: PublicKey
  readonly keys: ExchangeKeys
}

export type OfferEvent =
  /** The broker has our question. */
  | { readonly kind: "asked" }
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  /** The caller's grant, once the bundle and its psk are on disk. */
  | { readonly kind: "ready"; readonly grant: Grant }
  /** The caller's INIT opened, which includes what their proof would show. */
  | { readonly kind: "paired" }
  | { readonly kind: "tick" }
  | { readonly kind: "cancel" }

export type OfferEffect =
  /** Another owner holds this nameplate: draw another code. */
  | { readonly kind: "collision" }
  /** The code may be shown. */
  | { readonly kind: "held" }
  /** Keep the bundle under this psk, fetch what the caller needs, then report "ready". */
  | { readonly kind: "answered"; readonly guest: boolean; readonly psk: Psk }
  | { readonly kind: "keyed" }
  /** The code has failed. `crowded`: two answers for one code; `mismatch`: an answer whose sender did not have it. */
  | { readonly kind: "failed"; readonly why: "expired" | "mismatch" | "crowded" }

export type OfferStep = {
  readonly next: OfferState
  readonly send: readonly Uint8Array[]
  readonly effect?: OfferEffect
}

export type OfferInput = { readonly now: number; readonly random: Random }

const DANGER: OfferState = { kind: "danger" }

/** Asks whether the nameplate is free [P-21]. */
export function beginOffer(code: PairingCode, random: Random): OfferStep {
  const plate = { code, owner: random(SID_BYTES) }
  const ask = encodePairing({ kind: "ask", caller: plate.owner })
  return { next: { kind: "nothing", plate, showAt: undefined }, send: [ask] }
}

/** Unix ms at which the state wants a tick, or undefined. */
export function offerWakesAt(state: OfferState): number | undefined {
  switch (state.kind) {
    case "nothing":
      return state.showAt
    case "nameplate":
      return Math.min(state.claimAt, state.endAt)
    case "caller":
      return state.endAt
    case "key":
      return Math.min(state.repeatAt, state.endAt)
    case "peer":
    case "danger":
      return undefined
  }
}

/** Applies one event. An event that does not fit the state changes nothing, since anyone can publish on a nameplate. */
export function offerStep(state: OfferState, event: OfferEvent, input: OfferInput): OfferStep {
  switch (event.kind) {
    case "message": {
      const message = decodePairing(event.bytes)
      return message === undefined ? unchanged(state) : receive(state, message, input)
    }
    case "asked":
      return state.kind === "nothing"
        ? unchanged({ ...state, showAt: input.now + LISTEN_MS })
        : unchanged(state)
    case "ready":
      return grantTo(state, event.grant, input)
    case "paired":
      return "call" in state ? prove(state) : unchanged(state)
    case "tick":
      return tick(state, input.now)
    case "cancel":
      return { next: DANGER, send: "call" in state ? [stop(state.call.caller)] : [] }
  }
}

function receive(state: OfferState, message: PairingMessage, input: OfferInput): OfferStep {
  switch (state.kind) {
    case "nothing":
      return isOwnAsk(state.plate, message)
        ? unchanged(state)
        : { next: DANGER, send: [], effect: { kind: "collision" } }
    case "nameplate":
      return receiveAtNameplate(state, message, input)
    case "caller":
    case "key":
      return receiveInExchange(state, message)
    case "peer":
      return refuseLatecomer(state, message, state.caller)
    case "danger":
      return refuseLatecomer(state, message, undefined)
  }
}

function isOwnAsk({ owner }: Plate, message: PairingMessage): boolean {
  return message.kind === "ask" && equal(message.caller, owner)
}

type AtNameplate = Extract<OfferState, { kind: "nameplate" }>

/** Takes the one answer of this code; claims the nameplate at each question [P-21] [P-22]. */
function receiveAtNameplate(state: AtNameplate, message: PairingMessage, input: OfferInput): OfferStep {
  if (message.kind === "ask" && !isOwnAsk(state.plate, message))
    return { next: state, send: [claim(state.plate)] }
  if (message.kind !== "answer" || !equal(message.owner, state.plate.owner)) return unchanged(state)
  const call = takeCall(state.plate, message, input.random)
  if (call === undefined) return fail("mismatch", [message.caller])
  return {
    next: { kind: "caller", plate: state.plate, call, endAt: input.now + PROOF_WITHIN_MS },
    send: [],
    effect: { kind: "answered", guest: message.guest, psk: call.keys.psk },
  }
}

type Answer = Extract<PairingMessage, { kind: "answer" }>

function takeCall(
  { code, owner }: Plate,
  { caller, share: theirs }: Answer,
  random: Random,
): Call | undefined {
  const sid = concat(owner, caller)
  const own = drawShare(code, sid, random)
  if (own === undefined) return undefined
  const keys = exchangeKeys(own.scalar, theirs, { sid, callerShare: theirs, ownerShare: own.share })
  wipe(own.scalar)
  return keys && { caller, theirs, ours: own.share, keys }
}

type InExchange = Extract<OfferState, { call: Call }>

function receiveInExchange(state: InExchange, message: PairingMessage): OfferStep {
  const { call } = state
  if (message.kind === "claim") return unchanged(state)
  if (!equal(message.caller, call.caller)) return receiveFromAnother(state, message)
  switch (message.kind) {
    case "answer":
      return receiveRepeated(state, message)
    case "proof":
      return equal(message.proof, call.keys.callerProof) ? prove(state) : unchanged(state)
    case "stop":
      return fail("mismatch", [])
    case "ask":
    case "grant":
      return unchanged(state)
  }
}

/** A repeated answer gets the same grant; another share from the same caller is a second guess [P-22]. */
function receiveRepeated(state: InExchange, answer: Answer): OfferStep {
  if (!equal(answer.share, state.call.theirs)) return unchanged(state)
  return { next: state, send: state.kind === "key" ? [state.grant] : [] }
}

/**
 * Another caller with the same code. Before a grant the code ends for all; afterwards the first
 * caller continues and the second is told that it is used [P-23].
 */
function receiveFromAnother(state: InExchange, message: PairingMessage): OfferStep {
  if (message.kind !== "answer") return refuseLatecomer(state, message, state.call.caller)
  if (!equal(message.owner, state.plate.owner)) return unchanged(state)
  if (state.kind === "caller") return fail("crowded", [state.call.caller, message.caller])
  return { next: state, send: [stop(message.caller)] }
}

/** Tells a caller for a used code at once, so that it need not wait for its timeout [P-23]. */
function refuseLatecomer(
  state: OfferState,
  message: PairingMessage,
  known: Uint8Array | undefined,
): OfferStep {
  if (message.kind !== "ask" && message.kind !== "answer") return unchanged(state)
  if (known !== undefined && equal(message.caller, known)) return unchanged(state)
  return { next: state, send: [stop(message.caller)] }
}

/** The same bytes from now on: a second grant under the same key would be a second message of the exchange. */
function grantTo(state: OfferState, given: Grant, input: OfferInput): OfferStep {
  if (state.kind !== "caller") return unchanged(state)
  const { call } = state
  const sealed = sealGrant(given, call.keys.grantKey, input.random)
  const proof = call.keys.ownerProof
  const grant = encodePairing({ kind: "grant", caller: call.caller, share: call.ours, proof, ...sealed })
  return { next: { ...state, kind: "key", grant, repeatAt: input.now + REPEAT_MS }, send: [grant] }
}

function prove({ call }: InExchange): OfferStep {
  return { next: { kind: "peer", caller: call.caller }, send: [], effect: { kind: "keyed" } }
}

function tick(state: OfferState, now: number): OfferStep {
  switch (state.kind) {
    case "nothing":
      return state.showAt !== undefined && now >= state.showAt ? hold(state.plate, now) : unchanged(state)
    case "nameplate":
      return now >= state.endAt ? fail("expired", []) : claimAgain(state, now)
    case "caller":
    case "key":
      return now >= state.endAt ? fail("mismatch", [state.call.caller]) : grantAgain(state, now)
    case "peer":
    case "danger":
      return unchanged(state)
  }
}

function claimAgain(state: AtNameplate, now: number): OfferStep {
  if (now < state.claimAt) return unchanged(state)
  return { next: { ...state, claimAt: now + REPEAT_MS }, send: [claim(state.plate)] }
}

function grantAgain(state: InExchange, now: number): OfferStep {
  if (state.kind === "caller" || now < state.repeatAt) return unchanged(state)
  return { next: { ...state, repeatAt: now + REPEAT_MS }, send: [state.grant] }
}

function hold(plate: Plate, now: number): OfferStep {
  return {
    next: { kind: "nameplate", plate, claimAt: now + REPEAT_MS, endAt: now + CODE_LIFETIME_MS },
    send: [claim(plate)],
    effect: { kind: "held" },
  }
}

function fail(why: "expired" | "mismatch" | "crowded", callers: readonly Uint8Array[]): OfferStep {
  return { next: DANGER, send: callers.map(stop), effect: { kind: "failed", why } }
}

function unchanged(state: OfferState): OfferStep {
  return { next: state, send: [] }
}

function claim({ owner }: Plate): Uint8Array {
  return encodePairing({ kind: "claim", owner })
}

function stop(caller: Uint8Array): Uint8Array {
  return encodePairing({ kind: "stop", caller })
}
