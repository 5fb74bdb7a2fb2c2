import type { ShownAccount } from "../../store/account-record.ts"
import type { DeviceId } from "../../store/ids.ts"
import type { EngineState } from "../state/engine-state.ts"

/** What a device has shown of its account. */
export function shownBy(state: EngineState, device: DeviceId): ShownAccount | undefined {
  return state.deviceParts.get(device)?.shownAccount
}

/** Until the account of a device is verified, what we write waits unsealed, and its texts are kept unseen [D-71]. */
export function isUnfinished(state: EngineState, device: DeviceId): boolean {
  return (shownBy(state, device)?.until ?? 0) > 0
}
