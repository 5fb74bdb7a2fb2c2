import { equal } from "../../crypto/bytes.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"
import { sealAndEnqueue } from "../state/outgoing.ts"
import { isUnsealed } from "../state/unsealed.ts"
import type { DeviceUpdate } from "../state/update.ts"
import type { TextName } from "../../store/message-records.ts"
import type { ContactId } from "../../store/ids.ts"

/** What waits in the outbox of a message, for all devices of the contact: its text, its edits and reactions. */
export function framesAbout(
  state: EngineState,
  contact: ContactId,
  { author, id }: Pick<TextName, "author" | "id">,
): OutgoingRecord[] {
  return [...state.outgoing.values()].filter(({ device, carries, carriesChange: change }) => {
    if (state.devices.get(device)?.contact !== contact) return false
    if (change !== undefined)
      return change.kind !== "delete" && change.author === author && equal(change.id, id)
    return author === null && carries !== undefined && equal(carries.id, id)
  })
}

/** The number of what the frame carries, if it has one. */
export function numberOf({ carries, carriesChange }: OutgoingRecord): number[] {
  const number = carries?.number ?? carriesChange?.number
  return number === undefined ? [] : [number]
}

/**
 * An entry that leaves the outbox unacknowledged would hold back later texts: the peer is told that a text is gone, and of a
 * change only the number. A session that cannot send now says nothing: the peer shows the gap by itself after a while.
 */
export function announceGone(update: DeviceUpdate, entry: OutgoingRecord): void {
  if (isUnsealed(entry)) return
  const { carries, carriesChange } = entry
  if (carries !== undefined)
    sealAndEnqueue(update, { kind: "control", frames: [{ kind: "gone", numbers: [carries.number] }] })
  if (carriesChange !== undefined)
    sealAndEnqueue(update, { kind: "control", frames: [{ kind: "number", number: carriesChange.number }] })
}
