import { equal } from "../../crypto/bytes.ts"
import type { WithdrawnTexts } from "../../store/device-parts.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import { SHORT_MID_BYTES } from "../../wire/frame.ts"
import { devicesOf } from "../contacts/devices.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import type { Change } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { DeviceUpdate } from "../state/update.ts"
import { messageStateChange } from "./message-state.ts"
import { repeatChanges } from "./repeat-changes.ts"
import type { DeviceId } from "../../store/ids.ts"

/** Far more than a person withdraws before their contact is there again; the lists have 4 kB. */
const WITHDRAWN_MAX = 256
const NONE: WithdrawnTexts = { mids: [], ids: [] }
/** No session has sealed it since the last one ended; it may have arrived in that one, and a READ of it may come. */
const NO_MID = new Uint8Array(SHORT_MID_BYTES)

/** Remembers a text that is cancelled or given up, and may have arrived all the same. */
export function rememberWithdrawn(state: EngineState, { device, mid, carries }: OutgoingRecord): Change[] {
  if (carries === undefined) return []
  const { mids, ids } = withdrawnFor(state, [], device)
  const value = {
    mids: [...mids, mid.length === 0 ? NO_MID : mid].slice(-WITHDRAWN_MAX),
    ids: [...ids, carries.id].slice(-WITHDRAWN_MAX),
  }
  return [withdrawnChange(device, value)]
}

/** The withdrawn text whose frame this receipt names. */
export function withdrawnBy(state: EngineState, device: DeviceId, mid: Uint8Array): Uint8Array | undefined {
  const { mids, ids } = withdrawnFor(state, [], device)
  if (equal(mid, NO_MID)) return undefined
  return ids[mids.findIndex((known) => equal(known, mid))]
}

/** A text of ours is further. If it was withdrawn, the person is told so, once [D-61]. */
export function advance(
  state: EngineState,
  update: DeviceUpdate,
  id: Uint8Array,
  reached: "delivered" | "read",
): void {
  const { contact, conversation, input, changes } = update
  const { change, effect } = messageStateChange(conversation, id, reached, input.now)
  changes.push(change)
  update.effects.push(effect)
  const forgotten = devicesOf(state, contact.id).flatMap((device) => forget(state, changes, device.id, id))
  if (forgotten.length === 0) return
  changes.push(...forgotten)
  repeatChanges(state, update, id)
  addSystemMessage(update, `a message to ${contact.name} had arrived after all`)
}

function forget(state: EngineState, changes: readonly Change[], device: DeviceId, id: Uint8Array): Change[] {
  const { mids, ids } = withdrawnFor(state, changes, device)
  const isOther = (_: Uint8Array, at: number): boolean => !equal(ids[at] ?? id, id)
  const value = { mids: mids.filter(isOther), ids: ids.filter(isOther) }
  return value.ids.length === ids.length ? [] : [withdrawnChange(device, value)]
}

/** As they are after these changes. */
function withdrawnFor(state: EngineState, changes: readonly Change[], device: DeviceId): WithdrawnTexts {
  const changed = changes.findLast(
    (change) => change.kind === "device-part" && change.part === "withdrawnTexts" && change.device === device,
  )
  if (changed?.kind === "device-part" && changed.part === "withdrawnTexts") return changed.value
  return state.deviceParts.get(device)?.withdrawnTexts ?? NONE
}

function withdrawnChange(device: DeviceId, value: WithdrawnTexts): Change {
  return { kind: "device-part", device, part: "withdrawnTexts", value }
}
