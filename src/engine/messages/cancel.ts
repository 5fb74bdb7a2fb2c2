import type { OutgoingRecord } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Change, Decision } from "../state/decision.ts"
import { toJointDecision, updateEach } from "../state/each-device.ts"
import { updateFor, toDecision, type StepInput } from "../state/update.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import { directWith } from "../state/conversations.ts"
import { deliveriesOf, deliveriesOfChange } from "./deliveries.ts"
import { announceGone, framesAbout } from "./message-frames.ts"
import { messageStateChange } from "./message-state.ts"
import { rememberWithdrawn } from "./withdrawn-texts.ts"
import type { ContactId } from "../../store/ids.ts"

/** Drops a text from the outbox, with the changes of it that wait there, for all devices of the contact. */
export function cancelText(
  state: EngineState,
  contact: ContactId,
  id: Uint8Array,
  input: StepInput,
): Decision<null> {
  const entries = framesAbout(state, contact, { author: null, id })
  const updates = updateEach(state, contact, input, (update) => {
    for (const entry of entries)
      if (entry.device === update.device.id) announceGone(update, entry, "cancelled")
  })
  const { commit, effects } = toJointDecision(state, updates, null)
  const { change, effect } = messageStateChange(directWith(state, contact), id, "cancelled", input.now)
  const withdrawn = entries.flatMap((entry) => rememberWithdrawn(state, entry))
  return {
    commit: [...entries.map(done), ...withdrawn, change, ...commit],
    effects: [effect, ...effects],
    result: null,
  }
}

/**
 * Ends the tries for what is deleted for both. A text that no device has acknowledged is cancelled; it may have arrived all
 * the same [D-61].
 */
export function cancelDeleted(
  state: EngineState,
  contact: ContactId,
  entries: readonly OutgoingRecord[],
  { now }: StepInput,
): Pick<Decision<null>, "commit" | "effects"> {
  const [text] = entries.flatMap(({ carries }) => carries ?? [])
  const isDelivered = entries.some(({ carries, delivered }) => carries !== undefined && delivered)
  if (text === undefined || isDelivered) return { commit: entries.map(done), effects: [] }
  const { change, effect } = messageStateChange(directWith(state, contact), text.id, "cancelled", now)
  const withdrawn = entries.flatMap((entry) => rememberWithdrawn(state, entry))
  return { commit: [...entries.map(done), ...withdrawn, change], effects: [effect] }
}

/** Ends the tries for one device. Where no other device has the text or may still get it, the person is told. */
export function giveUpText(state: EngineState, entry: OutgoingRecord, input: StepInput): Decision<null> {
  const { device, carries, delivered } = entry
  const update = updateFor(state, device, input)
  if (update === undefined || carries === undefined)
    return { commit: [done(entry)], effects: [], result: null }
  update.changes.push(done(entry), ...rememberWithdrawn(state, entry))
  const others = deliveriesOf(state, update.contact.id, carries.id).filter(({ seq }) => seq !== entry.seq)
  if (!delivered && others.length === 0) {
    const { change, effect } = messageStateChange(update.conversation, carries.id, "given-up", input.now)
    update.changes.push(change)
    update.effects.push(effect)
    addSystemMessage(update, `a message to ${update.contact.name} was NOT DELIVERED in 30 days`)
  }
  announceGone(update, entry, "given-up")
  return toDecision(state, update, null)
}

/**
 * A change that a device did not acknowledge in all the time that a text has. Where no other device has it or may still get
 * it, the person is told.
 */
export function giveUpChange(state: EngineState, entry: OutgoingRecord, input: StepInput): Decision<null> {
  const { device, carriesChange, delivered } = entry
  const update = updateFor(state, device, input)
  if (update === undefined || carriesChange === undefined)
    return { commit: [done(entry)], effects: [], result: null }
  update.changes.push(done(entry))
  if (!delivered && !isStillUnderWay(state, update.contact.id, entry))
    addSystemMessage(update, `${WHAT[carriesChange.kind]} did NOT reach ${update.contact.name} in 30 days`)
  announceGone(update, entry, "given-up")
  return toDecision(state, update, null)
}

/** By another entry, or with a newer one that takes its place. */
function isStillUnderWay(
  state: EngineState,
  contact: ContactId,
  { seq, carriesChange }: OutgoingRecord,
): boolean {
  if (carriesChange === undefined) return false
  const others = deliveriesOfChange(state, contact, { ...carriesChange, time: Infinity })
  const { time } = carriesChange
  return others.some((other) => other.seq !== seq && (other.carriesChange?.time ?? time) >= time)
}

const WHAT = { edit: "an edit", delete: "a deletion", reaction: "a reaction" } as const

function done({ seq }: OutgoingRecord): Change {
  return { kind: "outgoing-done", seq }
}
