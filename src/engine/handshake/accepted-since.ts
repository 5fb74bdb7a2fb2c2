import { toHex } from "../../crypto/bytes.ts"
import type { DeviceId } from "../../store/ids.ts"
import type { EngineState } from "../state/engine-state.ts"

/** The INIT that became known last of each device, by its mid in hex. */
export type LastInits = ReadonlyMap<DeviceId, string>

export function lastInits(state: EngineState): LastInits {
  return new Map([...state.devices.keys()].map((device) => [device, lastInit(state, device)]))
}

/** Whether a session began after that by an INIT of this device. One of theirs that lost leaves ours unanswered. */
export function wasAcceptedSince(state: EngineState, device: DeviceId, before: LastInits): boolean {
  const isAnswered = ["unconfirmed", "established"].includes(state.devices.get(device)?.state ?? "")
  return isAnswered && lastInit(state, device) !== (before.get(device) ?? "")
}

function lastInit(state: EngineState, device: DeviceId): string {
  const last = state.deviceParts.get(device)?.acceptedInits?.mids.at(-1)
  return last === undefined ? "" : toHex(last)
}
