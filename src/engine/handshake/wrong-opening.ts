import { addSystemMessage } from "../contacts/system-messages.ts"
import { closeAllGaps, heldFrom } from "../contacts/held-texts.ts"
import { aboutContact } from "../contacts/describe.ts"
import { devicesOf } from "../contacts/devices.ts"
import { comparisonOf } from "../contacts/words.ts"
import { NEW_DEVICE } from "../../store/records.ts"
import { mailboxesOf } from "../state/mailbox-index.ts"
import type { Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { outgoingOf } from "../state/outgoing-index.ts"
import type { Event } from "../state/events.ts"
import { FRAME_TRANSITIONS, type ReceiveResult } from "../state/receive-result.ts"
import { toDecision, type DeviceUpdate } from "../state/update.ts"
import { changeResend } from "../state/resend-state.ts"
import { RESTORED } from "../contacts/device-state.ts"
import { unsealTexts } from "./contact-setup.ts"

const WHY =
  "what they showed for the words to compare is not what they had fixed before: someone may be between you"
const RESULT: ReceiveResult = { kind: FRAME_TRANSITIONS.arrived["it opens"] }

/**
 * An OPEN that is not what was committed to ends the session [S-63]. A contact made by this handshake goes with it; one
 * that was there before, was verified or has texts stays, and gets nothing until a person has compared the words of
 * another handshake [D-36].
 */
export function endAfterWrongOpening(state: EngineState, update: DeviceUpdate): Decision<ReceiveResult> {
  const isKept = isMet(state, update) || update.contact.verified || hasTexts(state, update)
  update.effects.push({ kind: "event", event: ended(update, isKept) })
  return isKept ? lock(state, update) : forget(state, update)
}

function isMet(state: EngineState, { contact, device }: DeviceUpdate): boolean {
  const comparison = comparisonOf(device)
  const isItsOnly = devicesOf(state, contact.id).length === 1
  return !isItsOnly || (comparison?.kind === "answered" && comparison.metBefore)
}

/** Whether anything was said in the session: an OPEN that comes months later must not delete it. */
function hasTexts(state: EngineState, { device: { id }, textNumbers }: DeviceUpdate): boolean {
  const waits = [...outgoingOf(state, id)].some(({ carries }) => carries !== undefined)
  return waits || textNumbers.sent > 0 || textNumbers.received > 0 || heldFrom(state, id).size > 0
}

function ended({ contact }: DeviceUpdate, isKept: boolean): Event {
  return { kind: "pairing-ended", ...aboutContact(contact), reason: WHY, forgotten: !isKept }
}

function forget(
  state: EngineState,
  { contact, device: { id }, effects }: DeviceUpdate,
): Decision<ReceiveResult> {
  const mailboxes = mailboxesOf(state, id)
  return {
    commit: [{ kind: "forget-contact", id: contact.id }],
    effects: [
      ...effects,
      { kind: "ended", device: id, mailboxes, why: "showed something else for the words" },
    ],
    result: RESULT,
  }
}

/** Like a device of a backup: it has no session, and the next handshake makes one. */
function lock(state: EngineState, update: DeviceUpdate): Decision<ReceiveResult> {
  const { device, contact, input } = update
  closeAllGaps(update, state)
  update.contact = { ...contact, verified: false, changedAt: input.now }
  update.device = { ...device, state: RESTORED, comparison: NEW_DEVICE.comparison }
  addSystemMessage(update, `the session with ${contact.name} was ended: ${WHY}`)
  changeResend(state, update, { since: input.now })
  unsealTexts(state, update)
  const decision = toDecision(state, update, RESULT)
  return { ...decision, commit: [...decision.commit, { kind: "end-session", device: device.id }] }
}
