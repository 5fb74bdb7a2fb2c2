import { toHex } from "../../crypto/bytes.ts"
import type { ContactRecord, DeviceRecord, OutgoingRecord } from "../../store/records.ts"
import type { DeviceId } from "../../store/ids.ts"
import { changeKey } from "../state/change-key.ts"
import { directWith } from "../state/conversations.ts"
import { joined, NOTHING_FOLLOWS, type Consequences } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { outgoingOf } from "../state/outgoing-index.ts"
import { toDecision, updateFor, type StepInput } from "../state/update.ts"
import { closeAllGaps } from "./held-texts.ts"
import { makeSystemMessage } from "./system-messages.ts"

export type Ending = {
  readonly contact: ContactRecord
  readonly ended: readonly DeviceRecord[]
  /** These and others that end in the same commit. */
  readonly gone: readonly DeviceRecord[]
}

/**
 * Devices of a contact end: what is held back of theirs is shown, since they have receipts for it; what only they were to get
 * is given up, and the person is told [D-105].
 */
export function endDeliveries(state: EngineState, ending: Ending, input: StepInput): Consequences {
  // A contact that this commit makes has no conversation yet.
  if (ending.ended.length === 0) return NOTHING_FOLLOWS
  return joined([...ending.ended.map(({ id }) => showHeld(state, id, input)), giveUp(state, ending, input)])
}

function showHeld(state: EngineState, device: DeviceId, input: StepInput): Consequences {
  const update = updateFor(state, device, input)
  if (update === undefined) return NOTHING_FOLLOWS
  closeAllGaps(update, state)
  return toDecision(state, update, null)
}

function giveUp(state: EngineState, ending: Ending, input: StepInput): Consequences {
  const { id: contact, name } = ending.contact
  const { id: conversation } = directWith(state, contact)
  const lost = lostIn(state, ending)
  const texts = new Map(lost.flatMap(({ carries }) => (carries ? [[toHex(carries.id), carries.id]] : [])))
  const reached = { conversation, state: "given-up" } as const
  const hasChanges = lost.some(({ carriesChange }) => carriesChange !== undefined)
  const notifications = notificationTexts(name, texts.size, hasChanges).map((text) =>
    makeSystemMessage(conversation, text, input),
  )
  const ids = [...texts.values()]
  return {
    commit: [
      ...ids.map((id) => ({ kind: "message-state", ...reached, contact, id, at: input.now }) as const),
      ...notifications.map(({ change }) => change),
    ],
    effects: [
      ...ids.map((id) => ({ kind: "receipt", ...reached, id }) as const),
      ...notifications.map(({ effect }) => effect),
    ],
  }
}

/** What no device that stays has or may still get. */
function lostIn(state: EngineState, { contact, ended, gone }: Ending): OutgoingRecord[] {
  const others = (state.devicesByContact.get(contact.id) ?? []).filter((id) => !isIn(gone, id))
  const kept = new Set(others.flatMap((id) => [...outgoingOf(state, id)]).map(keyOf))
  const entries = ended.flatMap(({ id }) => [...outgoingOf(state, id)]).sort((a, b) => a.seq - b.seq)
  return entries.filter((entry) => !entry.delivered && !kept.has(keyOf(entry)))
}

function isIn(devices: readonly DeviceRecord[], wanted: DeviceId): boolean {
  return devices.some(({ id }) => id === wanted)
}

/** What is to arrive, for whichever device. */
function keyOf({ carries, carriesChange: change }: OutgoingRecord): string {
  if (change !== undefined) return changeKey(change)
  return carries === undefined ? "" : toHex(carries.id)
}

function notificationTexts(name: string, texts: number, hasChanges: boolean): string[] {
  const why = "the device that it was for was removed"
  const some = texts === 1 ? "a message" : `each of ${texts} messages`
  return [
    ...(texts > 0 ? [`${some} to ${name} was NOT DELIVERED: ${why}`] : []),
    ...(hasChanges ? [`a change of a message did NOT reach ${name}: ${why}`] : []),
  ]
}
