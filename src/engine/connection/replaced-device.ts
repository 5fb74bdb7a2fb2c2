import { utf8 } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Decision } from "../state/decision.ts"
import { noChange } from "../state/decision.ts"

/** What the registrar said when another device had replaced this one; empty once this one is accepted again. */
const REPLACED = "replaced"

/** Remembers that this device was replaced, or with undefined that it is accepted. */
export function noteReplaced(state: EngineState, why: Fault | undefined): Decision<null> {
  const value = utf8(why?.message ?? "")
  const before = state.settings.get(REPLACED)?.length ?? 0
  if (before === value.length) return noChange(null)
  return {
    commit: [{ kind: "setting", key: REPLACED, value: new Uint8Array(value) }],
    effects: [],
    result: null,
  }
}

/** No message of a replaced device would be sent. Fault `replaced`. */
export function refuseReplaced(state: EngineState): void {
  const why = Buffer.from(state.settings.get(REPLACED) ?? []).toString("utf8")
  if (why !== "") throw new Fault("replaced", `not sent: ${why}`, "go on there")
}
