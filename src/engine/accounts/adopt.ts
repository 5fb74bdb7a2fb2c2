import type { AccountChain } from "../../account/account-chain.ts"
import type { ChainOutcome, KnownChain } from "../../account/branches.ts"
import type { ChainLink } from "../../account/chain-link.ts"
import { equal } from "../../crypto/bytes.ts"
import type { ShownAccount } from "../../store/account-record.ts"
import type { ContactRecord, DeviceRecord } from "../../store/records.ts"
import { decodeIdentity, encodeIdentity } from "../../wire/identity.ts"
import type { Frame } from "../../wire/frame.ts"
import { fingerprintDigits } from "../contacts/contacts.ts"
import { devicesOf } from "../contacts/devices.ts"
import { noteMet } from "../contacts/introductions.ts"
import { asMet } from "../contacts/words.ts"
import { heldFrom, releaseHeld } from "../contacts/held-texts.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import { endDeliveries } from "../contacts/end-deliveries.ts"
import { mailboxesOf } from "../state/mailbox-index.ts"
import { directWith } from "../state/conversations.ts"
import type { EngineState } from "../state/engine-state.ts"
import { changeResend } from "../state/resend-state.ts"
import { sealAnswer } from "../state/outgoing.ts"
import type { DeviceUpdate, Learned } from "../state/update.ts"
import { isKnownLive, isRemoved, knownChain, type Judged } from "./judge-shown.ts"
import { REMOVED, shownChange, UNFINISHED_MS } from "./unfinished.ts"
import { shellCommand } from "../../shell-command.ts"

type Good = Extract<Judged, { kind: "judged" }>

/**
 * What follows when a device has shown its account. Links that are missing are asked for, and until they have come the
 * device is unfinished, unless it is known already [D-70] [D-71]. Whether the device is admitted.
 */
export function noteShown(
  state: EngineState,
  update: DeviceUpdate,
  { membership, shown, owner }: Good,
  before: ShownAccount,
): boolean {
  const { accountId, length, head } = shown
  const part: ShownAccount = { ...before, accountId, length, head }
  if (membership.kind === "admitted") {
    moveTo(state, update, owner)
    update.changes.push(shownChange(update.device.id, { ...part, until: 0 }))
    adopt(state, update, membership)
    showWaiting(state, update, before)
    return true
  }
  // Links of an account that was never verified make no device known.
  const isKnown = owner?.accountId !== undefined && isKnownDevice(state, update, membership, owner)
  // A handshake that begins again has no more time than the first one.
  const until = isKnown ? 0 : Math.min(before.until || Infinity, update.input.now + UNFINISHED_MS)
  update.changes.push(shownChange(update.device.id, { ...part, until }))
  if (until > 0) update.effects.push({ kind: "unfinished" })
  learn(state, update, membership, owner)
  enqueueChain(state, update, { kind: "chain-ask", accountId, first: membership.first })
  return isKnown
}

type Asking = Extract<Good["membership"], { kind: "asking" }>

/** Live before, and by what it has shown now. */
function isKnownDevice(
  state: EngineState,
  { contact, device }: DeviceUpdate,
  { known }: Asking,
  owner: ContactRecord | undefined,
): boolean {
  if (owner?.id !== contact.id) return false
  const identity = decodeIdentity(device.key)
  return [knownChain(state, owner), known].every((chain) => isKnownLive(chain, identity))
}

/** Good links count although others are missing [D-72]. Of a stranger's account they are only kept. */
function learn(
  state: EngineState,
  update: DeviceUpdate,
  { known, outcome }: Asking,
  owner: ContactRecord | undefined,
): void {
  if (known === undefined) return
  if (owner?.accountId === undefined) putAccount(update, owner ?? update.contact, known)
  else if (outcome !== "unchanged") adoptFor(state, update, owner, { known, outcome })
}

/** Adopts links of a contact's account, which a device showed that may not be theirs yet. */
function adoptFor(state: EngineState, update: DeviceUpdate, owner: ContactRecord, learned: Learned): void {
  if (owner.id === update.contact.id) {
    adopt(state, update, learned)
    return
  }
  const ofOwner: DeviceUpdate = { ...update, contact: owner, conversation: directWith(state, owner.id) }
  adopt(state, ofOwner, learned)
  update.changes.push({ kind: "contact", contact: ofOwner.contact })
}

/** A new device of a contact: what was made for its handshake becomes part of theirs. */
function moveTo(state: EngineState, update: DeviceUpdate, owner: ContactRecord | undefined): void {
  const { contact, device } = update
  if (owner === undefined || owner.id === contact.id) return
  update.contact = owner
  update.device = { ...asMet(device), contact: owner.id }
  update.conversation = directWith(state, owner.id)
  update.changes.push({ kind: "adopt-history", from: contact.id, to: owner.id })
  update.changes.push({ kind: "forget-contact", id: contact.id })
}

/** Texts that waited on either side until the account was verified. */
function showWaiting(state: EngineState, update: DeviceUpdate, before: ShownAccount): void {
  if (before.until === 0) return
  releaseHeld(update, new Map(heldFrom(state, update.device.id)))
  update.effects.push({ kind: "admitted", device: update.device.id })
}

/** What is known of a contact's account now, with a line for each link that is news, and an end for removed devices. */
export function adopt(state: EngineState, update: DeviceUpdate, { known, outcome }: Learned): void {
  const { contact, input } = update
  const before = contact.accountId === undefined ? undefined : knownChain(state, contact)
  const lockedAt = known.rival === undefined ? 0 : contact.lockedAt || input.now
  update.contact = {
    ...contact,
    accountId: known.chain.accountId,
    comparedLinks: known.compared,
    lockedAt,
  }
  if (lockedAt > contact.lockedAt) forgetBefore(state, update)
  putAccount(update, contact, known)
  if (before === undefined) noteMet(state, update, known.chain.accountId)
  else noteLinks(update, before.chain, known.chain, outcome)
  endRemoved(state, update, { known, outcome })
}

/** What was said before a lock goes to no device again [D-133]. */
function forgetBefore(state: EngineState, { contact, changes, input }: DeviceUpdate): void {
  for (const device of devicesOf(state, contact.id))
    changeResend(state, { device, changes }, { since: input.now })
}

function putAccount(update: DeviceUpdate, { id }: ContactRecord, { chain, rival }: KnownChain): void {
  update.changes.push({ kind: "account", contact: id, chain, rival })
}

function noteLinks(
  update: DeviceUpdate,
  before: AccountChain,
  after: AccountChain,
  outcome: ChainOutcome,
): void {
  const { name } = update.contact
  if (outcome === "replaced")
    addSystemMessage(update, `${name}'s recovery key took back a change of their account`)
  if (outcome === "outranked")
    addSystemMessage(
      update,
      `a change of ${name}'s account was dropped: their recovery key had the last word`,
    )
  if (outcome === "forked") {
    const compare = shellCommand`mqttchat verify ${name}`
    const text = `${name}'s account was changed in two ways that contradict each other; nothing is sent to ${name} until you have paired again and compared the words: ${compare}`
    addSystemMessage(update, text)
  }
  for (const link of after.links.filter(({ head }) => !before.links.some((old) => equal(old.head, head))))
    addSystemMessage(update, `${name} ${describeLink(link)}`)
}

function describeLink({ body }: ChainLink): string {
  switch (body.kind) {
    case "create":
      return "has an account"
    case "add":
      return `added a device, ${fingerprintDigits(encodeIdentity(body.device))}`
    case "remove":
      return "removed a device"
    case "recovery-key":
      return "set a recovery key"
  }
}

/** The commit that learns of a removal ends the sessions with that device [D-72]. */
function endRemoved(state: EngineState, update: DeviceUpdate, learned: Learned): void {
  const isGone = ({ key }: DeviceRecord) => isRemoved(learned.known, decodeIdentity(key))
  const gone = devicesOf(state, update.contact.id).filter(isGone)
  const ended = gone.filter(({ id }) => id !== update.device.id)
  if (ended.length < gone.length) {
    update.ended = REMOVED
    update.learned = learned
  }
  const { commit, effects } = endDeliveries(state, { contact: update.contact, ended, gone }, update.input)
  update.changes.push(...commit)
  update.effects.push(...effects)
  for (const { id } of ended) {
    update.changes.push({ kind: "forget-device", id })
    update.effects.push({ kind: "ended", device: id, mailboxes: mailboxesOf(state, id), why: "was removed" })
  }
}

/** Sends links, or asks for some. */
export function enqueueChain(
  state: EngineState,
  update: DeviceUpdate,
  frame: Extract<Frame, { kind: "chain" | "chain-ask" }>,
): void {
  sealAnswer(state, update, { kind: "chain", frames: [frame] })
}
