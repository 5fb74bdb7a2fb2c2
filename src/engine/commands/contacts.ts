import { Fault } from "../../errors.ts"
import type { ContactRecord, DeviceRecord } from "../../store/records.ts"
import { safetyNumber } from "../../wire/identity.ts"
import { reservedReason } from "../../wire/reserved-names.ts"
import { displayName } from "../../wire/text.ts"
import { mailboxesOf } from "../state/mailbox-index.ts"
import type { Contact, ContactReference } from "../state/shapes.ts"
import type { Params, Results } from "../state/commands.ts"
import { ownChain } from "../accounts/own-account.ts"
import { comparedDevice, wordsToCompare } from "../accounts/compared-device.ts"
import { settled } from "../accounts/settle.ts"
import { isHidden } from "../accounts/unfinished.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import type { EngineState } from "../state/engine-state.ts"
import { chosenName, findContact, isTaken } from "../contacts/contacts.ts"
import type { Change, Decision } from "../state/decision.ts"
import { devicesOf } from "../contacts/devices.ts"
import { toJointDecision, updateEach } from "../state/each-device.ts"
import { isUncompared, refuseUnsendable, refuseWithoutDevice } from "../state/send-gate.ts"
import { clockAhead } from "../contacts/left-out.ts"
import { closeAllGaps } from "../contacts/held-texts.ts"
import { makeSystemMessage } from "../contacts/system-messages.ts"
import { rejectWords } from "../messages/rejected-words.ts"
import { enqueueTyping } from "../messages/enqueue.ts"
import { directWith } from "../state/conversations.ts"
import { adoptedConversation } from "../contacts/conversations.ts"
import { setTimer, timerOf } from "../contacts/timers.ts"
import { stepInput, type StepInput } from "../state/update.ts"
import { endIntroductions } from "../contacts/hindered-introductions.ts"
import { sealAndEnqueue, type SealResult } from "../state/outgoing.ts"
import { unsealedChange, unsealedEntry } from "../state/unsealed.ts"
import { waitingTexts } from "../messages/deliveries.ts"
import { pendingChanges } from "../messages/waiting-change.ts"
import { describeAlone, describeContact, queuedTexts } from "../contacts/describe.ts"
import { decideBlocking } from "./blocking.ts"
import { withUnread } from "./with-unread.ts"
import { asMet } from "../contacts/words.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Handlers } from "./handlers.ts"
import type { ContactId } from "../../store/ids.ts"
import { shellCommand } from "../../shell-command.ts"

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
      const unread = await ports.store.unshownCounts()
      const state = queue.state()
      return [...state.contacts.values()]
        .filter((contact) => !isHidden(state, contact))
        .map((contact) =>
          describeContact(state, contact, {
            unread: unread.get(directWith(state, contact.id).id) ?? 0,
            queued: queuedTexts(state, contact.id),
          }),
        )
    },
    rename: ({ contact, name }) => edit(parts, contact, (record, state) => renamed(state, record, name)),
    block: async (params) => {
      const { contact, blocked } = params
      const ahead = await clockOf(parts, contact)
      const described = await queue.run((state) => decideBlocking(state, params, ahead, stepInput(ports)))
      if (blocked) mailboxesFor(queue.state(), findContact(queue.state(), contact)).forEach(mailboxes.close)
      else {
        mailboxes.openAll()
        release(parts, described.id)
      }
      return withUnread(parts, described)
    },
    forget: async ({ contact }) => {
      const closed = await queue.run((state): Decision<Uint8Array[]> => {
        const record = findContact(state, contact)
        const result = mailboxesFor(state, record)
        const { commit, effects } = endIntroductions(state, record, "was forgotten", stepInput(ports))
        return { commit: [...commit, { kind: "forget-contact", id: record.id }], effects, result }
      })
      closed.forEach(mailboxes.close)
      return null
    },
    verify: async ({ contact }) => {
      const state = queue.state()
      const record = findContact(state, contact)
      const comparison = comparisonWith(state, record)
      return { contact: await withUnread(parts, describeAlone(state, record)), ...comparison }
    },
    "mark-verified": async (params) => {
      const described = await queue.run((state) => decideComparison(state, params, stepInput(ports)))
      if (params.verified) release(parts, described.id)
      return withUnread(parts, described)
    },
    replace: (params) => replace(parts, params),
    reset: async ({ contact }) => {
      const found = findContact(queue.state(), contact)
      const devices = devicesOf(queue.state(), found.id)
      refuseWithoutDevice(found, devices)
      await beginEach(parts, devices)
      return null
    },
    privacy: ({ contact, readReceipts, typingIndicators: typing, receiptDelayMs }) =>
      edit(parts, contact, (record) => ({ ...record, readReceipts, typing, receiptDelay: receiptDelayMs })),
    timer: async ({ contact, timerSeconds }) => {
      const described = await queue.run((state) => decideTimer(parts, state, contact, timerSeconds))
      return withUnread(parts, described)
    },
    typing: async ({ contact, typing }) => {
      const { id, typing: isAllowed, blocked } = findContact(queue.state(), contact)
      if (!isAllowed || blocked) return null
      await queue.run((state) => enqueueTyping(state, id, typing, stepInput(ports)))
      return null
    },
  }
}

/** Enough to find one that came at once. */
const TEXTS_READ = 50

/** How far the clock of a contact is ahead of ours. */
async function clockOf({ ports, queue }: EngineParts, reference: ContactReference): Promise<number> {
  const { id } = directWith(queue.state(), findContact(queue.state(), reference).id)
  const latest = await ports.store.history(id, { limit: TEXTS_READ })
  return clockAhead(latest.filter(({ author, kind }) => author !== null && kind === "text"))
}

/** What waited until something might be sent to this contact goes out now. */
function release(parts: EngineParts, contact: ContactId): void {
  const { queue, reencryption, introductions, receipts, recoveryDriver } = parts
  for (const { id } of devicesOf(queue.state(), contact)) {
    reencryption.start(id)
    receipts.schedule(id)
  }
  introductions.passOnAll()
  recoveryDriver.beginRestored()
}

function mailboxesFor(state: EngineState, { id }: ContactRecord): Uint8Array[] {
  return devicesOf(state, id).flatMap((device) => mailboxesOf(state, device.id))
}

/** The words of the newest handshake that has any; the safety number once the account is verified. */
function comparisonWith(
  state: EngineState,
  contact: ContactRecord,
): Pick<Results["verify"], "words" | "safetyNumber"> {
  const { accountId } = contact
  return {
    words: wordsToCompare(state, contact),
    safetyNumber: accountId === undefined ? [] : safetyNumber(ownChain(state).accountId, accountId),
  }
}

/** One device that cannot be reached must not keep the others from it. Faults as the last that failed. */
async function beginEach({ recoveryDriver }: EngineParts, devices: readonly DeviceRecord[]): Promise<void> {
  const begun = await Promise.allSettled(devices.map(({ id }) => recoveryDriver.begin(id)))
  for (const each of begun) if (each.status === "rejected") throw each.reason
}

async function edit(
  parts: EngineParts,
  reference: ContactReference,
  edited: (record: ContactRecord, state: EngineState) => ContactRecord,
): Promise<Contact> {
  const described = await parts.queue.run((state): Decision<Contact> => {
    const contact = edited(findContact(state, reference), state)
    return { commit: [{ kind: "contact", contact }], effects: [], result: describeAlone(state, contact) }
  })
  return withUnread(parts, described)
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

function decideComparison(
  state: EngineState,
  { contact: reference, verified, words }: Params<"mark-verified">,
  input: StepInput,
): Decision<Contact> {
  const found = findContact(state, reference)
  if (verified) refuseUncomparable(state, found)
  if (verified && words !== undefined) refuseOtherWords(state, found, words)
  const { contact: record, ...settling } = verified
    ? settled(state, found, input)
    : { contact: found, ...rejectWords(state, found, input) }
  if (verified && words === undefined) refuseUnnamedWords(found)
  const contact = { ...record, verified, changedAt: verified ? 0 : record.changedAt }
  const commit: Change[] = [{ kind: "contact", contact }, ...settling.commit]
  return { commit, effects: settling.effects, result: describeAlone(state, contact) }
}

/**
 * There is nothing to compare without an account; and after a wrong OPEN or a new key, only words show that no one is in
 * between [D-36].
 */
function refuseUncomparable(state: EngineState, contact: ContactRecord): void {
  const { name, accountId } = contact
  if (accountId === undefined) throw unfinished(contact)
  if (contact.lockedAt > 0 || !isUncompared(contact) || comparedDevice(state, contact) !== undefined) return
  const why = `${name}'s key is in doubt, and there are no words of a new pairing to compare`
  throw new Fault("refused", why, `pair with ${name} again first: mqttchat pair`)
}

/** A handshake may come while two people compare: what they said counts for the words that they saw [D-74]. */
function refuseOtherWords(state: EngineState, contact: ContactRecord, shown: readonly string[]): void {
  if (wordsToCompare(state, contact).join(" ") === shown.join(" ")) return
  const why = `the words to compare with ${contact.name} have changed since they were shown`
  throw new Fault("refused", why, `compare them again: ${shellCommand`mqttchat verify ${contact.name}`}`)
}

/**
 * Words lift a lock, so they are named: another handshake could come between what was shown and what was said [D-74], and
 * what two people compared may be the safety number, which says nothing of a key that took a place [D-36].
 */
function refuseUnnamedWords(contact: ContactRecord): void {
  if (!isUncompared(contact)) return
  const { name, lockedAt } = contact
  const doubt = lockedAt > 0 ? `the account of ${name} was changed in two ways` : `${name}'s key changed`
  const why = `${doubt}, and the words that you compared are not named`
  throw new Fault("refused", why, `compare the words: ${shellCommand`mqttchat verify ${name}`}`)
}

/**
 * For a contact with new keys, after a loss or on another machine: the new contact takes over the name and history of
 * the old one. Nothing is sent to it until the new key is compared.
 */
async function replace(parts: EngineParts, params: Params<"replace">): Promise<Contact> {
  const { queue, mailboxes } = parts
  const { closed, contact } = await queue.run((state) => decideReplacing(parts, state, params))
  closed.forEach(mailboxes.close)
  return withUnread(parts, contact)
}

function decideReplacing(
  parts: EngineParts,
  state: EngineState,
  { contact, newContact }: Params<"replace">,
): Decision<{ closed: Uint8Array[]; contact: Contact }> {
  const [old, fresh] = [findContact(state, contact), findContact(state, newContact)]
  if (old.id === fresh.id) throw new Fault("usage", `${old.name} cannot replace itself`)
  if (fresh.accountId === undefined) throw unfinished(fresh)
  const input = stepInput(parts.ports)
  const { readReceipts, typing, receiptDelay, name } = old
  const conversation = adoptedConversation(state, old.id, fresh.id)
  const changed: ContactRecord = {
    ...fresh,
    ...{ readReceipts, typing, receiptDelay, name },
    verified: false,
    changedAt: input.now,
  }
  const message = makeSystemMessage(conversation.id, whyLocked(state, old), input)
  const held = showHeld(state, old, fresh, input)
  const ended = endIntroductions(state, old, "has another key", input)
  const commit: Change[] = [
    ...held.commit,
    ...ended.commit,
    {
      kind: "adopt-history",
      ...{ from: old.id, to: fresh.id, supersededKey: isUncompared(old) ? "uncompared" : "compared" },
    },
    { kind: "forget-contact", id: old.id },
    { kind: "contact", contact: changed },
    { kind: "conversation", conversation },
    // The history is theirs now: a wrong OPEN of the candidate's must not take it along [D-36].
    ...devicesOf(state, fresh.id).map((device): Change => ({ kind: "device", device: asMet(device) })),
    ...passOnTexts(state, old, fresh, input),
    message.change,
  ]
  return {
    commit,
    effects: [...held.effects, ...ended.effects, message.effect],
    result: {
      closed: mailboxesFor(state, old),
      contact: { ...describeAlone(state, changed), timerSeconds: conversation.timer },
    },
  }
}

/** Also what waits says why it does: it goes to no key that was not compared [D-41] [D-144]. */
function whyLocked(state: EngineState, { id, name }: ContactRecord): string {
  const waiting = waitingTexts(state).filter(({ contact }) => contact === id).length
  const changed = `${name}'s key changed: compare it before you continue`
  if (waiting === 0) return changed
  const what = waiting === 1 ? "a message to them waits" : `${waiting} messages to them wait`
  return `${changed}; until then ${what}: ${shellCommand`mqttchat verify ${name}`}`
}

/** What becomes of an unfinished pairing takes the contact with it that it made [D-71]. */
function unfinished({ name }: ContactRecord): Fault {
  return new Fault("refused", `${name} has not shown their account yet`, "mqttchat contacts")
}

/** Texts of the old key that wait for earlier ones: it has receipts for them, and its session ends here. */
function showHeld(
  state: EngineState,
  old: ContactRecord,
  fresh: ContactRecord,
  input: StepInput,
): Decision<null> {
  const updates = updateEach(state, old.id, input, (update) => closeAllGaps(update, state))
  const { commit, effects } = toJointDecision(state, updates, null)
  const { id: conversation } = directWith(state, fresh.id)
  const adopted = effects.map((effect) =>
    effect.kind === "message"
      ? { ...effect, conversation, author: effect.author === old.id ? fresh.id : effect.author }
      : effect,
  )
  return { commit, effects: adopted, result: null }
}

/** What the old key has not acknowledged is sealed for each device of the new one, once it is compared. */
function passOnTexts(
  state: EngineState,
  old: ContactRecord,
  fresh: ContactRecord,
  { now }: StepInput,
): Change[] {
  const texts = waitingTexts(state).filter(({ contact }) => contact === old.id)
  const changes = pendingChanges(state).filter(({ contact }) => contact === old.id)
  let seq = state.nextOutgoing
  return devicesOf(state, fresh.id).flatMap(({ id: device }) =>
    [
      ...texts.map(({ id }) => unsealedEntry({ device, seq: seq++, id, now })),
      ...changes.map(({ change }) => unsealedChange({ device, seq: seq++, change, now })),
    ].map((outgoing): Change => ({ kind: "outgoing", outgoing })),
  )
}

function decideTimer(
  parts: EngineParts,
  state: EngineState,
  reference: ContactReference,
  seconds: number,
): Decision<Contact> {
  const contact = findContact(state, reference)
  const { id, name } = contact
  refuseUnsendable(contact, devicesOf(state, id))
  const conversation = directWith(state, id)
  const sealed: SealResult[] = []
  const updates = updateEach(state, id, stepInput(parts.ports), (update) => {
    if (isUnfinished(state, update.device.id)) return
    if (update.conversation === conversation) setTimer(update, seconds)
    sealed.push(sealAndEnqueue(update, { kind: "control", frames: [timerOf(update.conversation)] }))
  })
  if (updates.length === 0) throw new Fault("unavailable", `${name} has no session yet`, "mqttchat contacts")
  if (sealed.every(({ kind }) => kind === "refused"))
    throw new Fault("unavailable", `${name} has to answer first`, "try again later")
  return toJointDecision(state, updates, { ...describeAlone(state, contact), timerSeconds: seconds })
}
