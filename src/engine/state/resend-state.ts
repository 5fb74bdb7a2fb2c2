import type { Resend } from "../../store/device-parts.ts"
import type { Change } from "./decision.ts"
import type { EngineState } from "./engine-state.ts"
import type { DeviceUpdate } from "./update.ts"
import type { DeviceId } from "../../store/ids.ts"

/** Of a device from a backup, or an earlier one, nothing is sent again that is from before its next handshake. */
const NONE: Resend = {
  since: Number.MAX_SAFE_INTEGER,
  have: undefined,
  isExpected: false,
  ...{ spentAt: 0, spentTexts: 0, spentBytes: 0 },
}

export function resendOf(state: EngineState, device: DeviceId): Resend {
  return state.deviceParts.get(device)?.resend ?? NONE
}

/** As it is after the changes of this step. */
export function changeResend(
  state: EngineState,
  { device, changes }: Pick<DeviceUpdate, "device" | "changes">,
  changed: Partial<Resend>,
): void {
  const value = { ...resendIn(state, device.id, changes), ...changed }
  changes.push({ kind: "device-part", device: device.id, part: "resend", value })
}

function resendIn(state: EngineState, device: DeviceId, changes: readonly Change[]): Resend {
  const last = changes.findLast(
    (change) => change.kind === "device-part" && change.part === "resend" && change.device === device,
  )
  return last?.kind === "device-part" && last.part === "resend" ? last.value : resendOf(state, device)
}
