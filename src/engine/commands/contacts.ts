import { Fault } from "../../errors.ts"
import { fourWords } from "../../pairing/words.ts"
import type { ContactId, ContactRecord, MessageRecord } from "../../store/records.ts"
import { decodeIdentity, safetyNumber } from "../../wire/identity.ts"
import { reservedReason } from "../../wire/reserved-names.ts"
import { displayName } from "../../wire/text.ts"
import type { Contact, ContactReference } from "../state/shapes.ts"
import type { Params } from "../state/commands.ts"
import type { EngineState } from "../state/engine-state.ts"
import { chosenName, findContact, isTaken } from "../contacts/contacts.ts"
import type { Change, Decision } from "../state/decision.ts"
import { refuseUnsendable } from "../state/send-gate.ts"
import { updateFor, toDecision } from "../state/update.ts"
import { makeSystemMessage } from "../contacts/system-messages.ts"
import { textNumbersChange, readTextNumbers } from "../state/text-numbers.ts"
import { enqueuePassing } from "../messages/enqueue.ts"
import { setTimer } from "../contacts/timers.ts"
import { stepInput } from "../state/update.ts"
import { timerOf } from "../contacts/timers.ts"
import { sealAndEnqueue } from "../state/outgoing.ts"
import { unsentChange } from "../state/update.ts"
import { describeContact, queuedTexts } from "../contacts/describe.ts"
import { describeAlone } from "../contacts/describe.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Handlers } from "./handlers.ts"

type Names =
  | "contacts"
  | "rename"
  | "block"
  | "forget"
  | "verify"
  | "mark-verified"
  | "replace"
  | "reset"
  | "privacy"
  | "timer"
  | "typing"

/** The contacts and their settings. */
export function contactCommands(parts: EngineParts): Handlers<Names> {
  const { ports, queue, mailboxes } = parts
  return {
    contacts: async () => {
      const unshown = await ports.store.unshown()
      const state = queue.state()
      return [...state.contacts.values()].map((contact) =>
        describeContact(contact, counts(state, contact, unshown)),
      )
    },
    rename: ({ contact, name }) => edit(parts, contact, (record, state) => renamed(state, record, name)),
    block: async ({ contact, blocked }) => {
      const described = await queue.run((state) => decideBlocking(state, contact, blocked))
      const { mailbox } = findContact(queue.state(), contact)
      if (blocked) mailboxes.close(mailbox)
      else {
        mailboxes.openAll()
        release(parts, described.id)
      }
      return described
    },
    forget: async ({ contact }) => {
      const mailbox = await queue.run((state): Decision<Uint8Array> => {
        const record = findContact(state, contact)
        const forget: Change = { kind: "forget-contact", id: record.id }
        return { commit: [forget], effects: [], result: record.mailbox }
      })
      mailboxes.close(mailbox)
      return null
    },
    verify: ({ contact }) => {
      const state = queue.state()
      const record = findContact(state, contact)
      return Promise.resolve({
        contact: describeAlone(state, record),
        words: fourWords(record.sas),
        safetyNumber: safetyNumber(ports.identity.public, decodeIdentity(record.identity)),
      })
    },
    "mark-verified": async ({ contact, verified }) => {
      const described = await edit(parts, contact, (record) => compared(record, verified))
      if (verified) release(parts, described.id)
      return described
    },
    replace: (params) => replace(parts, params),
    reset: async ({ contact }) => {
      await parts.recoveryDriver.begin(findContact(queue.state(), contact).id)
      return null
    },
    privacy: ({ contact, readReceipts, typingIndicators: typing, receiptDelayMs }) =>
      edit(parts, contact, (record) => ({ ...record, readReceipts, typing, receiptDelay: receiptDelayMs })),
    timer: async ({ contact, timerSeconds }) => {
      const described = await queue.run((state) => decideTimer(parts, state, contact, timerSeconds))
      return described
    },
    typing: async ({ contact, typing }) => {
      const { id, typing: isAllowed, blocked } = findContact(queue.state(), contact)
      if (!isAllowed || blocked) return null
      await queue.run((state) => enqueuePassing(state, id, { kind: "typing", typing }, stepInput(ports)))
      return null
    },
  }
}

/** What waited until something might be sent to this contact goes out now. */
function release({ reencryption, receipts, recoveryDriver }: EngineParts, id: ContactId): void {
  reencryption.start(id)
  receipts.schedule(id)
  recoveryDriver.beginRestored()
}

function counts(
  state: EngineState,
  { id }: ContactRecord,
  unshown: readonly MessageRecord[],
): { unread: number; queued: number } {
  const unread = unshown.filter(({ contact, kind }) => contact === id && kind === "text").length
  return { unread, queued: queuedTexts(state, id) }
}

async function edit(
  { queue }: EngineParts,
  reference: ContactReference,
  edited: (record: ContactRecord, state: EngineState) => ContactRecord,
): Promise<Contact> {
  return queue.run((state): Decision<Contact> => {
    const contact = edited(findContact(state, reference), state)
    return { commit: [{ kind: "contact", contact }], effects: [], result: describeAlone(state, contact) }
  })
}

function decideBlocking(
  state: EngineState,
  reference: ContactReference,
  blocked: boolean,
): Decision<Contact> {
  const contact = { ...findContact(state, reference), blocked }
  const commit: Change[] = [{ kind: "contact", contact }]
  if (!blocked)
    commit.push(textNumbersChange(contact.id, { ...readTextNumbers(state, contact.id), resync: true }))
  return { commit, effects: [], result: describeAlone(state, contact) }
}

function renamed(state: EngineState, record: ContactRecord, to: string): ContactRecord {
  const name = displayName(to).trim()
  const reason = reservedReason(name)
  if (reason !== undefined) throw new Fault("usage", reason, "choose another")
  if (isTaken(state, name, record.id)) {
    throw new Fault("exists", `another contact is called ${name} already`, "mqttchat contacts")
  }
  return { ...record, name: chosenName(state, name, record.id) }
}

function compared(record: ContactRecord, verified: boolean): ContactRecord {
  return { ...record, verified, changedAt: verified ? 0 : record.changedAt }
}

/**
 * For a contact with new keys, after a loss or on another machine: the new contact takes over the name and history of
 * the old one. Nothing is sent to it until the new key is compared.
 */
async function replace(parts: EngineParts, params: Params<"replace">): Promise<Contact> {
  const { queue, mailboxes } = parts
  const { mailbox, contact } = await queue.run((state) => decideReplacing(parts, state, params))
  mailboxes.close(mailbox)
  return contact
}

function decideReplacing(
  parts: EngineParts,
  state: EngineState,
  { contact, newContact }: Params<"replace">,
): Decision<{ mailbox: Uint8Array; contact: Contact }> {
  const [old, fresh] = [findContact(state, contact), findContact(state, newContact)]
  if (old.id === fresh.id) throw new Fault("usage", `${old.name} cannot replace itself`)
  const input = stepInput(parts.ports)
  const { timer, timerSetAt, readReceipts, typing, receiptDelay, name } = old
  const changed: ContactRecord = {
    ...fresh,
    ...{ timer, timerSetAt, readReceipts, typing, receiptDelay, name },
    verified: false,
    changedAt: input.now,
  }
  const message = makeSystemMessage(fresh.id, `${name}'s key changed: compare it before you continue`, input)
  const commit: Change[] = [
    { kind: "adopt-history", from: old.id, to: fresh.id },
    { kind: "forget-contact", id: old.id },
    { kind: "contact", contact: changed },
    unsentChange(fresh.id, Uint8Array.of(1)),
    message.change,
  ]
  return {
    commit,
    effects: [message.effect],
    result: { mailbox: old.mailbox, contact: describeAlone(state, changed) },
  }
}

function decideTimer(
  parts: EngineParts,
  state: EngineState,
  reference: ContactReference,
  seconds: number,
): Decision<Contact> {
  const contact = findContact(state, reference)
  refuseUnsendable(contact)
  const { name } = contact
  const update = updateFor(state, contact.id, stepInput(parts.ports))
  if (update === undefined) throw new Fault("unavailable", `${name} has no session yet`, "mqttchat contacts")
  setTimer(update, seconds)
  if (sealAndEnqueue(update, { kind: "control", frames: [timerOf(update.contact)] }).kind === "refused") {
    throw new Fault("unavailable", `${name} has to answer first`, "try again later")
  }
  return toDecision(state, update, describeAlone(state, update.contact))
}
