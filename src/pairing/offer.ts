import { concat, equal, type Psk, type PublicKey, type Random, wipe } from "../crypto/bytes.ts"
import { decodePairing, encodePairing, type PairingMessage, SID_BYTES } from "../wire/pairing.ts"
import { CODE_LIFETIME_MS, LISTEN_MS, PROOF_WITHIN_MS, REPEAT_MS } from "./clock.ts"
import type { PairingCode } from "./code.ts"
import { drawShare, type ExchangeKeys, exchangeKeys, type Grant, sealGrant } from "./exchange.ts"

/** The side that shows a code, by what it knows. Times are unix ms. */
export type Offering =
  /** Whether the nameplate is free; `showAt` once the broker has our question. */
  | { readonly knows: "nothing"; readonly plate: Plate; readonly showAt: number | undefined }
  /** That the nameplate is ours: the code is on the screen. */
  | { readonly knows: "nameplate"; readonly plate: Plate; readonly claimAt: number; readonly endAt: number }
  /** Whose answer it took, the only one for this code. What they may be given is being fetched. */
  | { readonly knows: "caller"; readonly plate: Plate; readonly call: Call; readonly endAt: number }
  /** The key, if the caller's code is ours; only their proof will tell. */
  | {
      readonly knows: "key"
      readonly plate: Plate
      readonly call: Call
      readonly grant: Uint8Array
      readonly repeatAt: number
      readonly endAt: number
    }
  /** That the caller has the code. */
  | { readonly knows: "peer"; readonly caller: Uint8Array }
  /** That nothing will come of this code. */
  | { readonly knows: "danger" }

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
  /** What the caller gets, once the bundle and its psk are on disk. */
  | { readonly kind: "ready"; readonly grant: Grant }
  /** The caller's INIT opened, which proves more than their proof would. */
  | { readonly kind: "paired" }
  | { readonly kind: "tick" }
  | { readonly kind: "cancel" }

export type OfferTold =
  /** Somebody else holds this nameplate: draw another code. */
  | { readonly kind: "collision" }
  /** The code may be shown. */
  | { readonly kind: "held" }
  /** Keep the bundle under this psk, fetch what the caller needs, then say "ready". */
  | { readonly kind: "answered"; readonly guest: boolean; readonly psk: Psk }
  | { readonly kind: "keyed" }
  /** The code is dead. `crowded`: two answers for one code; `mismatch`: one whose sender did not have it. */
  | { readonly kind: "failed"; readonly why: "expired" | "mismatch" | "crowded" }

export type OfferStep = {
  readonly next: Offering
  readonly send: readonly Uint8Array[]
  readonly told?: OfferTold
}

export type OfferWorld = { readonly now: number; readonly random: Random }

const DANGER: Offering = { knows: "danger" }

/** Asks whether the nameplate is free [P-21]. */
export function beginOffer(code: PairingCode, random: Random): OfferStep {
  const plate = { code, owner: random(SID_BYTES) }
  const ask = encodePairing({ kind: "ask", caller: plate.owner })
  return { next: { knows: "nothing", plate, showAt: undefined }, send: [ask] }
}

/** Unix ms at which the state wants a tick, or undefined. */
export function offerWakesAt(state: Offering): number | undefined {
  switch (state.knows) {
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

/** One event. What does not fit the state changes nothing, for anybody can write on a nameplate. */
export function offerStep(state: Offering, event: OfferEvent, world: OfferWorld): OfferStep {
  switch (event.kind) {
    case "message": {
      const message = decodePairing(event.bytes)
      return message === undefined ? stay(state) : hear(state, message, world)
    }
    case "asked":
      return state.knows === "nothing" ? stay({ ...state, showAt: world.now + LISTEN_MS }) : stay(state)
    case "ready":
      return grantTo(state, event.grant, world)
    case "paired":
      return "call" in state ? prove(state) : stay(state)
    case "tick":
      return tick(state, world.now)
    case "cancel":
      return { next: DANGER, send: "call" in state ? [stop(state.call.caller)] : [] }
  }
}

function hear(state: Offering, message: PairingMessage, world: OfferWorld): OfferStep {
  switch (state.knows) {
    case "nothing":
      return isOwnAsk(state.plate, message)
        ? stay(state)
        : { next: DANGER, send: [], told: { kind: "collision" } }
    case "nameplate":
      return hearAtNameplate(state, message, world)
    case "caller":
    case "key":
      return hearInExchange(state, message)
    case "peer":
      return refuseLatecomer(state, message, state.caller)
    case "danger":
      return refuseLatecomer(state, message, undefined)
  }
}

function isOwnAsk({ owner }: Plate, message: PairingMessage): boolean {
  return message.kind === "ask" && equal(message.caller, owner)
}

type AtNameplate = Extract<Offering, { knows: "nameplate" }>

/** Takes the one answer of this code; claims the nameplate whenever somebody asks [P-21] [P-22]. */
function hearAtNameplate(state: AtNameplate, message: PairingMessage, world: OfferWorld): OfferStep {
  if (message.kind === "ask" && !isOwnAsk(state.plate, message))
    return { next: state, send: [claim(state.plate)] }
  if (message.kind !== "answer" || !equal(message.owner, state.plate.owner)) return stay(state)
  const call = takeCall(state.plate, message, world.random)
  if (call === undefined) return fail("mismatch", [message.caller])
  return {
    next: { knows: "caller", plate: state.plate, call, endAt: world.now + PROOF_WITHIN_MS },
    send: [],
    told: { kind: "answered", guest: message.guest, psk: call.keys.psk },
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

type InExchange = Extract<Offering, { call: Call }>

function hearInExchange(state: InExchange, message: PairingMessage): OfferStep {
  const { call } = state
  if (message.kind === "claim") return stay(state)
  if (!equal(message.caller, call.caller)) return hearAnother(state, message)
  switch (message.kind) {
    case "answer":
      return hearAgain(state, message)
    case "proof":
      return equal(message.proof, call.keys.callerProof) ? prove(state) : stay(state)
    case "stop":
      return fail("mismatch", [])
    case "ask":
    case "grant":
      return stay(state)
  }
}

/** The same answer once more wants the same grant; another share under the same name is a second guess [P-22]. */
function hearAgain(state: InExchange, answer: Answer): OfferStep {
  if (!equal(answer.share, state.call.theirs)) return stay(state)
  return { next: state, send: state.knows === "key" ? [state.grant] : [] }
}

/**
 * Somebody else with the same code. While nothing was given to anybody the code dies for all; afterwards the first
 * caller goes on and the second is told that it is used [P-23].
 */
function hearAnother(state: InExchange, message: PairingMessage): OfferStep {
  if (message.kind !== "answer") return refuseLatecomer(state, message, state.call.caller)
  if (!equal(message.owner, state.plate.owner)) return stay(state)
  if (state.knows === "caller") return fail("crowded", [state.call.caller, message.caller])
  return { next: state, send: [stop(message.caller)] }
}

/** Who asks for a nameplate whose code is used hears so at once instead of waiting for nobody [P-23]. */
function refuseLatecomer(state: Offering, message: PairingMessage, known: Uint8Array | undefined): OfferStep {
  if (message.kind !== "ask" && message.kind !== "answer") return stay(state)
  if (known !== undefined && equal(message.caller, known)) return stay(state)
  return { next: state, send: [stop(message.caller)] }
}

/** The same bytes from here on: a second grant under the same key would be a second message of the exchange. */
function grantTo(state: Offering, given: Grant, world: OfferWorld): OfferStep {
  if (state.knows !== "caller") return stay(state)
  const { call } = state
  const sealed = sealGrant(given, call.keys.grantKey, world.random)
  const proof = call.keys.ownerProof
  const grant = encodePairing({ kind: "grant", caller: call.caller, share: call.ours, proof, ...sealed })
  return { next: { ...state, knows: "key", grant, repeatAt: world.now + REPEAT_MS }, send: [grant] }
}

function prove({ call }: InExchange): OfferStep {
  return { next: { knows: "peer", caller: call.caller }, send: [], told: { kind: "keyed" } }
}

function tick(state: Offering, now: number): OfferStep {
  switch (state.knows) {
    case "nothing":
      return state.showAt !== undefined && now >= state.showAt ? hold(state.plate, now) : stay(state)
    case "nameplate":
      return now >= state.endAt ? fail("expired", []) : claimAgain(state, now)
    case "caller":
    case "key":
      return now >= state.endAt ? fail("mismatch", [state.call.caller]) : grantAgain(state, now)
    case "peer":
    case "danger":
      return stay(state)
  }
}

function claimAgain(state: AtNameplate, now: number): OfferStep {
  if (now < state.claimAt) return stay(state)
  return { next: { ...state, claimAt: now + REPEAT_MS }, send: [claim(state.plate)] }
}

function grantAgain(state: InExchange, now: number): OfferStep {
  if (state.knows === "caller" || now < state.repeatAt) return stay(state)
  return { next: { ...state, repeatAt: now + REPEAT_MS }, send: [state.grant] }
}

function hold(plate: Plate, now: number): OfferStep {
  return {
    next: { knows: "nameplate", plate, claimAt: now + REPEAT_MS, endAt: now + CODE_LIFETIME_MS },
    send: [claim(plate)],
    told: { kind: "held" },
  }
}

function fail(why: "expired" | "mismatch" | "crowded", callers: readonly Uint8Array[]): OfferStep {
  return { next: DANGER, send: callers.map(stop), told: { kind: "failed", why } }
}

function stay(state: Offering): OfferStep {
  return { next: state, send: [] }
}

function claim({ owner }: Plate): Uint8Array {
  return encodePairing({ kind: "claim", owner })
}

function stop(caller: Uint8Array): Uint8Array {
  return encodePairing({ kind: "stop", caller })
}
