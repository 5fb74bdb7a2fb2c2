import { equal } from "../../crypto/bytes.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import type { Frame } from "../../wire/frame.ts"
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

/** The number of what the frame carries, or says of that it is not sent any more. */
export function numberOf({ carries, carriesChange, withdrawnNumber }: OutgoingRecord): number[] {
  const number = carries?.number ?? carriesChange?.number ?? withdrawnNumber
  return number === null ? [] : [number]
}

/**
 * An entry that leaves the outbox unacknowledged would hold back later texts: the peer is told that a text is gone, and of a
 * change only the number. A request for the number is answered by the same frame: only a text is ever called gone. A session
 * that cannot send now says nothing: the peer shows the gap by itself after a while.
 */
export function announceGone(update: DeviceUpdate, entry: OutgoingRecord): void {
  if (isUnsealed(entry)) return
  const [number] = numberOf(entry)
  if (number === undefined) return
  const frame: Frame =
    entry.carries === undefined ? { kind: "number", number } : { kind: "gone", numbers: [number] }
  sealAndEnqueue(update, { kind: "control", frames: [frame], withdrawnNumber: number })
}
