import type { OutgoingRecord } from "../../store/records.ts"
import type { Frame, GoneReason } from "../../wire/frame.ts"
import { devicesOf } from "../contacts/devices.ts"
import type { EngineState } from "../state/engine-state.ts"
import { changesOfMessage, numberOf } from "../state/outgoing-index.ts"
import { sealAndEnqueue } from "../state/outgoing.ts"
import { deliveriesOf } from "./deliveries.ts"
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
  const changes = devicesOf(state, contact)
    .flatMap((device) => changesOfMessage(state, device.id, id))
    .filter(({ carriesChange: change }) => change?.kind !== "delete" && change?.author === author)
  const texts = author === null ? deliveriesOf(state, contact, id) : []
  return [...texts, ...changes].sort((a, b) => a.seq - b.seq)
}

/**
 * An entry that leaves the outbox unacknowledged would hold back later texts: the peer is told that a text is gone, and of a
 * change only the number. A request for the number is answered by the same frame: only a text is ever called gone. A session
 * that cannot send now says nothing: the peer shows the gap by itself after a while.
 */
export function announceGone(
  update: DeviceUpdate,
  entry: OutgoingRecord,
  reason: Exclude<GoneReason, "not-held">,
): void {
  if (isUnsealed(entry)) return
  const number = numberOf(entry)
  if (number === undefined) return
  const frame: Frame =
    entry.carries === undefined ? { kind: "number", number } : { kind: "gone", reason, numbers: [number] }
  sealAndEnqueue(update, { kind: "control", frames: [frame], withdrawnNumber: number })
}
