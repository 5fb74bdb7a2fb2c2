import { toHex } from "../../crypto/bytes.ts"
import { encodeComparison, type Comparison } from "../../session/comparison.ts"
import type { Established } from "../../session/handshake.ts"
import {
  NEW_CONTACT,
  NEW_CONVERSATION,
  NEW_DEVICE,
  type ContactRecord,
  type ConversationRecord,
  type DeviceRecord,
} from "../../store/records.ts"
import { encodeIdentity } from "../../wire/identity.ts"
import { mailboxesOf } from "../state/mailbox-index.ts"
import type { EngineState } from "../state/engine-state.ts"
import { outgoingOf } from "../state/outgoing-index.ts"
import { stepsSentTo } from "../contacts/introductions.ts"
import { rotationAtHandshake } from "./mailbox-rotation.ts"
import { freeName, placeholderName } from "../contacts/contacts.ts"
import { afterHandshake, type Handshake } from "../contacts/device-state.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import {
  enqueueUnsealed,
  enqueueUnsealedChange,
  enqueueUnsealedResend,
  enqueueUnsealedSteps,
  isUnsealed,
} from "../state/unsealed.ts"
import { changeResend, resendOf } from "../state/resend-state.ts"
import type { DeviceUpdate, StepInput } from "../state/update.ts"
import { readTextNumbers, NO_TEXTS } from "../state/text-numbers.ts"
import { joinInbox } from "../../wire/topics.ts"
import { directWith } from "../state/conversations.ts"
import { leftOutInNewSession } from "../contacts/left-out.ts"
import { closeAllGaps } from "../contacts/held-texts.ts"
import { type ContactId } from "../../store/ids.ts"

/** The peer of a handshake. */
export type ContactSetup = {
  readonly previous: DeviceRecord | undefined
  /** Whose device it is, if they are a contact already. */
  readonly owner: ContactRecord | undefined
  readonly established: Established
  readonly comparison: Comparison
  readonly mailbox: Uint8Array
  readonly by: Handshake
}

/** A new contact with one device, or a known device with everything of its old session gone. */
export function setUpContact(
  state: EngineState,
  setup: ContactSetup,
  wanted: string,
  input: StepInput,
): DeviceUpdate {
  const { previous, established } = setup
  const contact = contactFor(state, setup, wanted, input)
  const device = deviceFor(state, setup, contact)
  const update: DeviceUpdate = {
    device,
    contact,
    conversation: conversationWith(state, contact.id),
    session: established.session,
    receipts: [],
    receiptsBefore: [],
    textNumbers: readTextNumbers(state, device.id),
    textNumbersBefore: NO_TEXTS,
    leftOut: state.deviceParts.get(device.id)?.leftOut,
    seq: state.nextOutgoing,
    input,
    changes: [],
    effects: [],
    ended: undefined,
    learned: undefined,
  }
  beginResend(state, update, setup)
  if (previous !== undefined) endSession(state, update, mailboxesOf(state, previous.id))
  update.changes.push(rotationAtHandshake(state, previous, device, input.now))
  closeAllGaps(update, state)
  update.textNumbers = { ...NO_TEXTS }
  update.leftOut = leftOutInNewSession(update.leftOut)
  return update
}

function contactFor(
  state: EngineState,
  { previous, owner, by }: ContactSetup,
  wanted: string,
  input: StepInput,
): ContactRecord {
  const known = previous ? state.contacts.get(previous.contact) : owner
  if (known !== undefined) {
    const isUnnamed = previous !== undefined && known.name === placeholderName(previous.key)
    const name = isUnnamed ? freeName(state, wanted, known.id) : known.name
    return { ...known, name, verified: known.verified && isRecovery(by) }
  }
  return {
    ...NEW_CONTACT,
    id: state.nextContact,
    name: freeName(state, wanted, undefined),
    addedAt: input.now,
  }
}

function conversationWith(state: EngineState, contact: ContactId): ConversationRecord {
  if (state.directs.has(contact)) return directWith(state, contact)
  return { ...NEW_CONVERSATION, id: state.nextConversation, contact }
}

function deviceFor(
  state: EngineState,
  { previous, established, comparison, mailbox, by }: ContactSetup,
  contact: ContactRecord,
): DeviceRecord {
  const deviceState = afterHandshake(by)
  // Until they have answered us, what they hold opens under the previous secret.
  const isAnswered = previous === undefined || deviceState === "unconfirmed"
  const secret = established.recoverySecret
  return {
    ...(previous ?? NEW_DEVICE),
    id: previous?.id ?? state.nextDevice,
    contact: contact.id,
    key: encodeIdentity(established.peer),
    state: deviceState,
    peerInbox: joinInbox(established.peerInbox),
    mailbox,
    comparison: encodeComparison(comparison),
    recoverySecret: isAnswered ? secret : previous.recoverySecret,
    nextRecoverySecret: isAnswered ? NEW_DEVICE.nextRecoverySecret : secret,
    movedAt: 0,
  }
}

/** A new pairing has new words, which no one has compared yet. A recovery goes on from the session that was verified. */
function isRecovery(by: Handshake): boolean {
  return by === "we start a recovery" || by === "they start a recovery"
}

/** What a known device says that it has is of no other session; a recovery asks for what it has not [D-132]. */
function beginResend(state: EngineState, update: DeviceUpdate, { previous, by }: ContactSetup): void {
  const isAgain = previous !== undefined && isRecovery(by)
  const { since } = resendOf(state, update.device.id)
  const { now } = update.input
  const isNew = previous === undefined || since > now
  changeResend(state, update, { since: isNew ? now : since, have: undefined, isExpected: isAgain })
  // Before the first text of the new session; where we begin it, their answer says what they have.
  if (isAgain && by === "they start a recovery") enqueueUnsealedResend(update)
}

function endSession(state: EngineState, update: DeviceUpdate, oldMailboxes: readonly Uint8Array[]): void {
  unsealTexts(state, update)
  update.effects.push({ kind: "session-replaced", device: update.device.id, oldMailboxes })
}

/** Frames of the old session cannot be opened any more; their texts wait to be sealed again, in their order, and then the steps of introductions. */
export function unsealTexts(state: EngineState, update: DeviceUpdate): void {
  const { id } = update.device
  const entries = [...outgoingOf(state, id)]
  for (const { seq } of entries) update.changes.push({ kind: "outgoing-done", seq })
  // No text is sealed while older ones wait.
  const inOrder = [...entries.filter((entry) => !isUnsealed(entry)), ...entries.filter(isUnsealed)]
  for (const { carries, delivered, carriesChange } of withoutSuperseded(inOrder)) {
    if (carries !== undefined) enqueueUnsealed(update, carries.id, delivered)
    if (carriesChange !== undefined) enqueueUnsealedChange(update, carriesChange, delivered)
  }
  if (stepsSentTo(state, update.contact.id, update.input.now).length > 0) enqueueUnsealedSteps(update)
}

/** Of the edits of one message only the last is sent in the new session, and so of its reactions [D-96]. */
function withoutSuperseded(entries: readonly OutgoingRecord[]): OutgoingRecord[] {
  const last = new Map<string, OutgoingRecord>()
  for (const entry of entries) last.set(changeKey(entry), entry)
  return entries.filter((entry) => entry.carriesChange === undefined || last.get(changeKey(entry)) === entry)
}

function changeKey({ carriesChange: change }: OutgoingRecord): string {
  return change === undefined ? "" : `${String(change.author)}/${toHex(change.id)}/${change.kind}`
}
