import type { Decision } from "./decision.ts"
import type { DeviceId } from "../../store/ids.ts"

/** The outcome of a device's frame. */
export type ReceiveResult =
  /** On disk, with its consequences. */
  | { readonly kind: "committed" }
  /** Received before: nothing changed, or its receipt waits to be sent again. */
  | { readonly kind: "again" }
  | {
      readonly kind: "refused"
      readonly why:
        | "blocked"
        | "withheld"
        | "over-limit"
        | "malformed"
        | "unknown-tag"
        | "forged"
        | "too-far-ahead"
        | "unknown-kem"
    }

/** Every frame is acknowledged to the broker, but only once its consequences are on disk [D-2]. */
export const FRAME_TRANSITIONS = {
  arrived: { "it opens": "committed", "it came before": "again", "it does not open": "refused" },
  committed: { "after the commit": "acknowledged" },
  again: { "after the commit": "acknowledged" },
  refused: { "after it is counted": "acknowledged" },
  acknowledged: {},
} as const satisfies Record<string, Readonly<Record<string, ReceiveResult["kind"] | "acknowledged">>>

/** A refusal: nothing changes, and the frame is counted. */
export function dropFrame(why: Extract<ReceiveResult, { kind: "refused" }>["why"]): Decision<ReceiveResult> {
  return {
    commit: [],
    effects: [{ kind: "dropped" }],
    result: { kind: FRAME_TRANSITIONS.arrived["it does not open"], why },
  }
}

/** A frame of a device that was processed before, and needs no receipt. */
export function duplicate(device: DeviceId): Decision<ReceiveResult> {
  return {
    commit: [],
    effects: [{ kind: "received", device, receiptsWait: false }],
    result: { kind: FRAME_TRANSITIONS.arrived["it came before"] },
  }
}
