import { addSystemMessage } from "../contacts/system-messages.ts"
import type { EngineState } from "../state/engine-state.ts"
import { changeResend, resendOf } from "../state/resend-state.ts"
import type { DeviceUpdate } from "../state/update.ts"

/** Once in a session, and only if we asked: else it is a text like any other. */
export function noteResent(state: EngineState, update: DeviceUpdate): void {
  if (!resendOf(state, update.device.id).isExpected) return
  changeResend(state, update, { isExpected: false })
  addSystemMessage(update, `messages from ${update.contact.name} that this device had lost come again`)
}
