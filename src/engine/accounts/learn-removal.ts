import type { DeviceRecord } from "../../store/records.ts"
import { decodeIdentity } from "../../wire/identity.ts"
import { contactOf } from "../contacts/devices.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Consequences } from "../state/decision.ts"
import { toDecision, updateFor, type Learned, type StepInput } from "../state/update.ts"
import { adopt } from "./adopt.ts"
import { isRemoved, type Judged } from "./judge-shown.ts"
import { endDevice, REMOVED } from "./unfinished.ts"

/**
 * What follows when the links that a known device shows with an INIT say that it was removed: they count, and it ends
 * with its session, whatever it says of further links [D-72]. Undefined for any other device.
 */
export function learnRemoval(
  state: EngineState,
  device: DeviceRecord,
  { membership, owner }: Extract<Judged, { kind: "judged" }>,
  input: StepInput,
): Consequences | undefined {
  const { kind, known, outcome } = membership
  if (kind !== "asking" || known === undefined || outcome === "unchanged") return undefined
  if (owner?.accountId === undefined || contactOf(state, device.id)?.id !== owner.id) return undefined
  if (!isRemoved(known, decodeIdentity(device.key))) return undefined
  return endWithLinks(state, device, { known, outcome }, input)
}

/** The links that remove a device count, and it ends with its session. */
export function endWithLinks(
  state: EngineState,
  device: DeviceRecord,
  { known, outcome }: Learned,
  input: StepInput,
): Consequences {
  const end = endDevice(state, device, REMOVED, input)
  const update = updateFor(state, device.id, input)
  if (update === undefined) return end
  adopt(state, update, { known, outcome })
  const learned = toDecision(state, update, null)
  return { commit: [...learned.commit, ...end.commit], effects: [...learned.effects, ...end.effects] }
}
