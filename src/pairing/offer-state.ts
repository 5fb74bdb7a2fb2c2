import { equal, type Psk, type PublicKey, type Random } from "../crypto/bytes.ts"
import { encodePairing, type PairingMessage } from "../wire/pairing.ts"
import type { PairingCode } from "./code.ts"
import type { ExchangeKeys, Grant } from "./exchange.ts"

/** The side that shows a code, by what it knows: each state names what is added. Times are unix ms. */
export type OfferState =
  /** Whether the nameplate is free; `showAt` once the broker has our question. */
  | { readonly kind: "nothing"; readonly plate: Plate; readonly showAt: number | undefined }
  /** That the nameplate is ours: the code is on the screen. */
  | AtNameplate
  /** Who has the code, by their proof. Their grant is being prepared. */
  | { readonly kind: "caller"; readonly call: Call; readonly endAt: number }
  /** The grant that they were sent. */
  | { readonly kind: "peer"; readonly call: Call; readonly grant: Uint8Array }
  /** That this code is over. */
  | { readonly kind: "danger" }

export type Plate = { readonly code: PairingCode; readonly owner: Uint8Array }

export type AtNameplate = {
  readonly kind: "nameplate"
  readonly plate: Plate
  readonly claimAt: number
  readonly endAt: number
  /** Those who answered and have not proved anything yet. */
  readonly calls: readonly Call[]
  /** Callers whose attempt is over. */
  readonly spent: readonly Uint8Array[]
  readonly wrong: number
}

export type Call = {
  readonly caller: Uint8Array
  readonly guest: boolean
  readonly theirs: PublicKey
  readonly ours: PublicKey
  readonly keys: ExchangeKeys
  /** The answer is on disk as a guess, so that it is counted whatever happens next. */
  readonly counted: boolean
  readonly endAt: number
}

export type OfferEvent =
  /** The broker has our question. */
  | { readonly kind: "asked" }
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  /** This caller's answer is on disk as a guess. */
  | { readonly kind: "counted"; readonly caller: Uint8Array }
  /** The caller's grant, once the bundle and its psk are on disk. */
  | { readonly kind: "ready"; readonly grant: Grant }
  | { readonly kind: "tick" }
  | { readonly kind: "cancel" }

export type OfferEffect =
  /** Another owner holds this nameplate: draw another code. */
  | { readonly kind: "collision" }
  /** The code may be shown. */
  | { readonly kind: "held" }
  /** Write this guess, which our share identifies, to the disk; then report "counted". */
  | { readonly kind: "answered"; readonly caller: Uint8Array; readonly share: PublicKey }
  /** A wrong proof; the code bears so many more. */
  | { readonly kind: "guessed"; readonly left: number }
  /** The caller has the code: strike its guess out, keep the bundle under this psk, then report "ready". */
  | { readonly kind: "proved"; readonly share: PublicKey; readonly guest: boolean; readonly psk: Psk }
  /**
   * The code is over. `crowded`: too many answers; `mismatch`: wrong proofs, or the caller gave up; `silent`: its grant
   * was not ready in time.
   */
  | { readonly kind: "failed"; readonly why: "expired" | "mismatch" | "crowded" | "silent" }

export type OfferStep = {
  readonly next: OfferState
  readonly send: readonly Uint8Array[]
  readonly effect?: OfferEffect
}

export type OfferInput = { readonly now: number; readonly random: Random }

export const OVER: OfferState = { kind: "danger" }

export function findCall({ calls }: AtNameplate, caller: Uint8Array): Call | undefined {
  return calls.find((call) => equal(call.caller, caller))
}

export function isSpent({ spent }: AtNameplate, caller: Uint8Array): boolean {
  return spent.some((one) => equal(one, caller))
}

/** Their attempt is over. */
export function spend(state: AtNameplate, caller: Uint8Array): AtNameplate {
  const calls = state.calls.filter((call) => !equal(call.caller, caller))
  return { ...state, calls, spent: [...state.spent, caller] }
}

export function callers(state: OfferState): readonly Uint8Array[] {
  if (state.kind === "nameplate") return state.calls.map(({ caller }) => caller)
  return state.kind === "caller" || state.kind === "peer" ? [state.call.caller] : []
}

export function isOwnAsk({ owner }: Plate, message: PairingMessage): boolean {
  return message.kind === "ask" && equal(message.caller, owner)
}

export function fail(
  why: "expired" | "mismatch" | "crowded" | "silent",
  stopped: readonly Uint8Array[],
): OfferStep {
  return { next: OVER, send: stopped.map(stop), effect: { kind: "failed", why } }
}

export function unchanged(state: OfferState): OfferStep {
  return { next: state, send: [] }
}

export function claim({ owner }: Plate): Uint8Array {
  return encodePairing({ kind: "claim", owner })
}

export function share({ caller, ours }: Call): Uint8Array {
  return encodePairing({ kind: "share", caller, share: ours })
}

export function stop(caller: Uint8Array): Uint8Array {
  return encodePairing({ kind: "stop", caller })
}
