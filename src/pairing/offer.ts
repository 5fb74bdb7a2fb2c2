import { equal, type Random } from "../crypto/bytes.ts"
import { decodePairing, encodePairing, type PairingMessage, SID_BYTES } from "../wire/pairing.ts"
import type { PairingCode } from "./code.ts"
import { type Grant, sealGrant } from "./exchange.ts"
import { receiveAtNameplate, shareWith } from "./offer-callers.ts"
import {
  type AtNameplate,
  callers,
  claim,
  fail,
  isOwnAsk,
  type OfferEvent,
  type OfferInput,
  type OfferState,
  type OfferStep,
  OVER,
  type Plate,
  spend,
  stop,
  unchanged,
} from "./offer-state.ts"
import { CODE_LIFETIME_MS, LISTEN_MS, REPEAT_MS } from "./timeouts.ts"

export type { OfferEffect, OfferEvent, OfferState } from "./offer-state.ts"

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
      return Math.min(state.claimAt, state.endAt, ...state.calls.map(({ endAt }) => endAt))
    case "caller":
      return state.endAt
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
    case "counted":
      return shareWith(state, event.caller)
    case "ready":
      return grantTo(state, event.grant, input)
    case "tick":
      return tick(state, input.now)
    case "cancel":
      return { next: OVER, send: callers(state).map(stop) }
  }
}

function receive(state: OfferState, message: PairingMessage, input: OfferInput): OfferStep {
  switch (state.kind) {
    case "nothing":
      return isOwnAsk(state.plate, message)
        ? unchanged(state)
        : { next: OVER, send: [], effect: { kind: "collision" } }
    case "nameplate":
      return receiveAtNameplate(state, message, input)
    case "caller":
    case "peer":
      return receiveFromProved(state, message)
    case "danger":
      return refuseLatecomer(state, message)
  }
}

type AtProved = Extract<OfferState, { kind: "caller" | "peer" }>

/**
 * A repeated proof gets the same grant: a second one would be a second message under its key [P-22]. Anyone can forge a
 * stop, and the caller may have used the grant already: after it the INIT or its timeout decides [P-24].
 */
function receiveFromProved(state: AtProved, message: PairingMessage): OfferStep {
  const { caller, keys } = state.call
  if (message.kind === "claim" || !equal(message.caller, caller)) return refuseLatecomer(state, message)
  if (message.kind === "stop") return state.kind === "peer" ? unchanged(state) : fail("mismatch", [])
  const isRepeated = message.kind === "proof" && equal(message.proof, keys.callerProof)
  return { next: state, send: isRepeated && state.kind === "peer" ? [state.grant] : [] }
}

/** Tells a caller for a used code at once, so that it need not wait for its timeout [P-23]. */
function refuseLatecomer(state: OfferState, message: PairingMessage): OfferStep {
  const isCaller = message.kind === "ask" || message.kind === "answer"
  return { next: state, send: isCaller ? [stop(message.caller)] : [] }
}

function grantTo(state: OfferState, given: Grant, input: OfferInput): OfferStep {
  if (state.kind !== "caller") return unchanged(state)
  const { call } = state
  const sealed = sealGrant(given, call.keys.grantKey, input.random)
  const grant = encodePairing({ kind: "grant", caller: call.caller, proof: call.keys.ownerProof, ...sealed })
  return { next: { kind: "peer", call, grant }, send: [grant] }
}

function tick(state: OfferState, now: number): OfferStep {
  switch (state.kind) {
    case "nothing":
      return state.showAt !== undefined && now >= state.showAt ? hold(state.plate, now) : unchanged(state)
    case "nameplate":
      return now >= state.endAt ? fail("expired", callers(state)) : tickAtNameplate(state, now)
    case "caller":
      return now >= state.endAt ? fail("silent", callers(state)) : unchanged(state)
    case "peer":
    case "danger":
      return unchanged(state)
  }
}

/** Silent callers are told to stop; the code goes on for others [P-24]. */
function tickAtNameplate(state: AtNameplate, now: number): OfferStep {
  const late = state.calls.filter(({ endAt }) => now >= endAt).map(({ caller }) => caller)
  const open = late.reduce(spend, state)
  const stops = late.map(stop)
  if (now < state.claimAt) return { next: open, send: stops }
  return { next: { ...open, claimAt: now + REPEAT_MS }, send: [...stops, claim(state.plate)] }
}

function hold(plate: Plate, now: number): OfferStep {
  const [claimAt, endAt] = [now + REPEAT_MS, now + CODE_LIFETIME_MS]
  return {
    next: { kind: "nameplate", plate, claimAt, endAt, calls: [], spent: [], wrong: 0 },
    send: [claim(plate)],
    effect: { kind: "held" },
  }
}
