import { utf8 } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Decision } from "../state/decision.ts"
import { noChange } from "../state/decision.ts"
import type { Ports } from "../state/ports.ts"

/** A registrar answers within some 20 ms; somebody waits to hear why nothing goes on. */
const TIMEOUT_MS = 3_000
/** What was said when another device had taken the place of this one; empty once it is let in again. */
const REPLACED = "replaced"

/**
 * A broker cannot say why it refuses a certificate. Its registrar can: Fault `replaced` if that is why. `renewal` is a
 * request to renew the certificate.
 */
export async function whyRefused(ports: Ports, renewal: Promise<unknown>): Promise<Fault | undefined> {
  let cancel: () => void = () => undefined
  const timeout = new Promise<undefined>((resolve) => {
    cancel = ports.after(TIMEOUT_MS, () => resolve(undefined))
  })
  const answered = renewal.then(
    () => undefined,
    (fault: unknown) => {
      if (!(fault instanceof Fault)) throw fault
      return fault.code === "replaced" ? fault : undefined
    },
  )
  const why = await Promise.race([answered, timeout])
  cancel()
  return why
}

/** Remembers that this device was replaced, or with undefined that it is let in. */
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

/** What is written here would leave with nobody. Fault `replaced`. */
export function refuseReplaced(state: EngineState): void {
  const why = Buffer.from(state.settings.get(REPLACED) ?? []).toString("utf8")
  if (why !== "") throw new Fault("replaced", `not sent: ${why}`, "go on there")
}
