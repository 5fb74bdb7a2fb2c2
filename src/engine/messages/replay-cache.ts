import { equal } from "../../crypto/bytes.ts"
import type { ReplayCache } from "../../store/device-parts.ts"
import { SHORT_MID_BYTES } from "../../wire/frame.ts"
import type { Change } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { DeviceId } from "../../store/ids.ts"

/**
 * A frame without a text leaves no message by which to recognise a repetition (its receipt was
 * lost, or the broker delivered it twice). So the last few are remembered by 8 bytes each, in two lists: the receipt of an
 * `owed` one is sent again, and a repeated `passing` one is not taken for a sign of a lost session.
 */
export type ReplayKind = keyof ReplayCache

const REPLAY_MAX = 64

/** The list that holds a repeated frame, by its message id. */
export function findReplay(state: EngineState, device: DeviceId, mid: Uint8Array): ReplayKind | undefined {
  const wanted = mid.subarray(0, SHORT_MID_BYTES)
  const cache = cacheOf(state, device)
  return (["owed", "passing"] as const).find((kind) => cache[kind].some((known) => equal(known, wanted)))
}

/** Adds one, and drops the oldest over `REPLAY_MAX`. */
export function rememberFrame(
  state: EngineState,
  device: DeviceId,
  kind: ReplayKind,
  mid: Uint8Array,
): Change {
  const cache = cacheOf(state, device)
  const kept = [...cache[kind], mid.slice(0, SHORT_MID_BYTES)].slice(-REPLAY_MAX)
  return { kind: "device-part", device, part: "replayCache", value: { ...cache, [kind]: kept } }
}

function cacheOf(state: EngineState, device: DeviceId): ReplayCache {
  return state.deviceParts.get(device)?.replayCache ?? { owed: [], passing: [] }
}
