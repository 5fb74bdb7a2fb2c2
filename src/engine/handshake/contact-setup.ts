import type { Established } from "../../session/handshake.ts"
import { NEW_CONTACT, type ContactRecord } from "../../store/records.ts"
import { encodeIdentity } from "../../wire/identity.ts"
import type { EngineState } from "../state/engine-state.ts"
import { freeName } from "../contacts/contacts.ts"
import { afterHandshake, type Handshake } from "../contacts/conversation-state.ts"
import { unsentChange, type ContactUpdate, type StepInput } from "../state/update.ts"
import { readTextNumbers, NO_TEXTS } from "../state/text-numbers.ts"
import { joinInbox } from "../../wire/topics.ts"
import { closeAllGaps } from "../contacts/held-texts.ts"

/** The peer of a handshake. */
export type ContactSetup = {
  readonly previous: ContactRecord | undefined
  readonly established: Established
  readonly mailbox: Uint8Array
  readonly by: Handshake
}

/** A new contact, or a known one with everything of its old session gone. */
export function setUpContact(
  state: EngineState,
  setup: ContactSetup,
  wanted: string,
  input: StepInput,
): ContactUpdate {
  const { previous, established, mailbox, by } = setup
  const id = previous?.id ?? state.nextContact
  const contactState = afterHandshake(by)
  // Until they have answered us, what they hold opens under the previous secret.
  const isAnswered = previous === undefined || contactState === "unconfirmed"
  const secret = established.recoverySecret
  const contact: ContactRecord = {
    ...(previous ?? NEW_CONTACT),
    id,
    verified: isStillVerified(previous, by),
    identity: encodeIdentity(established.peer),
    name: previous?.name ?? freeName(state, wanted, undefined),
    state: contactState,
    peerInbox: joinInbox(established.peerInbox),
    mailbox,
    sas: established.sas,
    recoverySecret: isAnswered ? secret : previous.recoverySecret,
    nextRecoverySecret: isAnswered ? NEW_CONTACT.nextRecoverySecret : secret,
    addedAt: previous?.addedAt ?? input.now,
    movedAt: 0,
  }
  const update: ContactUpdate = {
    contact,
    session: established.session,
    receipts: [],
    receiptsBefore: [],
    textNumbers: readTextNumbers(state, id),
    textNumbersBefore: NO_TEXTS,
    seq: state.nextOutgoing,
    input,
    changes: [],
    effects: [],
  }
  if (previous !== undefined) endSession(state, update, previous.mailbox)
  closeAllGaps(update, state)
  update.textNumbers = { ...NO_TEXTS }
  return update
}

/** A new pairing has new words, which no one has compared yet. A recovery goes on from the session that was verified. */
function isStillVerified(previous: ContactRecord | undefined, by: Handshake): boolean {
  const isRecovery = by === "we start a recovery" || by === "they start a recovery"
  return isRecovery && previous?.verified === true
}

/** Frames of the old session cannot be opened any more; their texts wait to be sealed again. */
function endSession(state: EngineState, update: ContactUpdate, oldMailbox: Uint8Array): void {
  const { id, sas } = update.contact
  for (const entry of state.outgoing.values()) {
    if (entry.contact === id) update.changes.push({ kind: "outgoing-done", seq: entry.seq })
  }
  update.changes.push(unsentChange(id, sas))
  update.effects.push({ kind: "session-replaced", contact: id, oldMailbox })
}
