import { utf8 } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Decision } from "../state/decision.ts"
import { noChange } from "../state/decision.ts"
import { profileSetting, saveProfileSetting } from "../state/profile-settings.ts"

/** Remembers that this device was replaced, or with undefined that it is accepted. */
export function noteReplaced(state: EngineState, why: Fault | undefined): Decision<null> {
  const value = utf8(why?.message ?? "")
  if (profileSetting(state, "replaced").length === value.length) return noChange(null)
  return saveProfileSetting("replaced", value)
}

/** A replaced device cannot send. Fault `replaced`. */
export function refuseReplaced(state: EngineState): void {
  const why = Buffer.from(profileSetting(state, "replaced")).toString("utf8")
  if (why !== "") throw new Fault("replaced", `not sent: ${why}`, "continue on that device")
}
