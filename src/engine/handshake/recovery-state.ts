import { equal } from "../../crypto/bytes.ts"
import type { Recovery } from "../../store/device-parts.ts"
import type { DeviceId } from "../../store/ids.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { DeviceUpdate } from "../state/update.ts"
import { rememberInits } from "./init-memory.ts"

/** A single unmatched frame can come from anyone. */
const UNMATCHED_MAX = 3
/**
 * Of a run of them the newest are remembered, and as many of all before, those with the smallest mids: so some of them are
 * known when they come again, though a peer repeats hundreds, or a broker has delivered thousands of old ones.
 */
const NEWEST_KEPT = 32
const SAMPLED_KEPT = 32
/** A broker may deliver twice at once; a peer repeats after five seconds. */
export const REPEATED_MS = 3_000

/** In place of the time of a frame that led to a session which is confirmed. */
const SPENT = 0
const NOTHING_UNMATCHED = { unmatched: 0, unmatchedMids: [], unmatchedAt: [] } as const
const NEVER: Recovery = { ...NOTHING_UNMATCHED, startedAt: 0, attempts: 0, lostInit: undefined }

export function recoveryStateOf(state: EngineState, device: DeviceId): Recovery {
  return state.deviceParts.get(device)?.recovery ?? NEVER
}

export function recoveryChange(state: EngineState, device: DeviceId, changed: Partial<Recovery>): Change {
  const value = { ...recoveryStateOf(state, device), ...changed }
  return { kind: "device-part", device, part: "recovery", value }
}

/** What counted against the session before is no sign against the one that begins now. */
export function withNewSession(
  state: EngineState,
  device: DeviceId,
  started: Partial<Pick<Recovery, "startedAt" | "attempts">> = {},
): Change {
  return recoveryChange(state, device, { unmatched: 0, lostInit: undefined, ...started })
}

/** A peer whose session is confirmed repeats nothing of the one before: who does so is no peer. */
function withSpentFrames(state: EngineState, device: DeviceId): Change {
  const unmatchedAt = recoveryStateOf(state, device).unmatchedAt.map(() => SPENT)
  return recoveryChange(state, device, { unmatched: 0, unmatchedAt, lostInit: undefined, attempts: 0 })
}

/** The session is confirmed: of INITs that cross, theirs that lost is over, whenever the broker delivers it again. */
export function endRecovery(state: EngineState, update: DeviceUpdate): void {
  const { id } = update.device
  const before = recoveryStateOf(state, id)
  if (before.lostInit !== undefined) rememberInits(state, update, [before.lostInit.mid])
  if (before !== NEVER) update.changes.push(withSpentFrames(state, id))
}

/** A frame that fits ends the run of those that do not. */
export function countMatched(state: EngineState, device: DeviceId): Decision<null> {
  const before = recoveryStateOf(state, device)
  if (!state.devices.has(device) || before.unmatched === 0) return noChange(null)
  const isSpent = (_: unknown, at: number): boolean => before.unmatchedAt[at] === SPENT
  const unmatchedMids = before.unmatchedMids.filter(isSpent)
  const unmatchedAt = unmatchedMids.map(() => SPENT)
  const commit = [recoveryChange(state, device, { unmatched: 0, unmatchedMids, unmatchedAt })]
  return { commit, effects: [], result: null }
}

/**
 * True if the session is lost: of three frames in a row that fit nothing, this one was there before. Someone repeats it and
 * waits for us. What a broker held back, or kept from a time before, comes once [D-30].
 */
export function countUnmatched(
  state: EngineState,
  device: DeviceId,
  mid: Uint8Array,
  now: number,
): Decision<boolean> {
  if (!state.devices.has(device)) return noChange(false)
  const before = recoveryStateOf(state, device)
  const { unmatched, unmatchedMids, unmatchedAt } = before
  const count = Math.min(unmatched + 1, UNMATCHED_MAX)
  const firstAt = unmatchedAt[unmatchedMids.findIndex((known) => equal(known, mid))]
  if (firstAt === SPENT) return noChange(false)
  const isLost = count === UNMATCHED_MAX && firstAt !== undefined && now - firstAt >= REPEATED_MS
  if (firstAt !== undefined && count === unmatched) return noChange(isLost)
  const kept = firstAt === undefined ? withUnmatched(before, mid, now) : {}
  return {
    commit: [recoveryChange(state, device, { ...kept, unmatched: count })],
    effects: [],
    result: isLost,
  }
}

function withUnmatched(
  { unmatchedMids, unmatchedAt }: Recovery,
  mid: Uint8Array,
  now: number,
): Pick<Recovery, "unmatchedMids" | "unmatchedAt"> {
  const [mids, times] = [
    [...unmatchedMids, mid],
    [...unmatchedAt, now],
  ]
  if (mids.length > NEWEST_KEPT + SAMPLED_KEPT) {
    const sampled = mids.slice(0, -NEWEST_KEPT)
    const largest = sampled.reduce((a, b) => (Buffer.compare(a, b) > 0 ? a : b))
    const at = mids.indexOf(largest)
    mids.splice(at, 1)
    times.splice(at, 1)
  }
  return { unmatchedMids: mids, unmatchedAt: times }
}
