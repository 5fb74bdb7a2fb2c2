import { equal, toHex } from "../../crypto/bytes.ts"
import { MODE, respond, type Established } from "../../session/handshake.ts"
import type { ShownAccount } from "../../store/account-record.ts"
import type { IntroductionRecord } from "../../store/introduction-record.ts"
import type { ContactRecord, DeviceRecord, OpenBundleRecord } from "../../store/records.ts"
import { encodeIdentity } from "../../wire/identity.ts"
import { noteShown } from "../accounts/adopt.ts"
import { learnRemoval } from "../accounts/learn-removal.ts"
import type { Judged } from "../accounts/judge-shown.ts"
import { keptByRecovery, makeRoom, notShown } from "../accounts/unfinished.ts"
import { shownBy } from "../contacts/shown-account.ts"
import { comparisonOf } from "../contacts/words.ts"
import { admittedOwner, judgeAccount, refuseAccount } from "./judge-account.ts"
import { setUpContact } from "./contact-setup.ts"
import type { EngineState } from "../state/engine-state.ts"
import { offerId, readBundleSecrets } from "./bundles.ts"
import type { Handshake } from "../contacts/device-state.ts"
import { offeredName, placeholderName } from "../contacts/contacts.ts"
import { contactOf, findDevice } from "../contacts/devices.ts"
import { introductionOfBundle } from "../contacts/introductions.ts"
import { isIntroduced, noteIntroduction } from "./introduced.ts"
import { type Decision, NOT_RENAMED } from "../state/decision.ts"
import { toDecision, wallSeconds, type DeviceUpdate, type StepInput } from "../state/update.ts"
import { oursWins } from "./confirmation.ts"
import { dropCrossed, keepCrossed } from "./crossed-session.ts"
import {
  initMid,
  isKnownInit,
  onKnownInit,
  rememberedInits,
  rememberInits,
  supersededFrames,
  supersededIn,
} from "./init-memory.ts"
import { withNewSession } from "./recovery-state.ts"
import { isSameDevice, keepSuperseded } from "./superseded-session.ts"
import { noteHave } from "./have.ts"
import { hello, keepRecoveryBundle, ownHead, recoveryBundle, type Self } from "./hello.ts"
import { answerShare, noteUnfinished } from "./shares.ts"
import { noteRenaming } from "../contacts/numbered-name.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import { isRetried, loseInit } from "./recovery-policy.ts"
import { sealAndEnqueue } from "../state/outgoing.ts"
import { dropFrame, duplicate, type ReceiveResult } from "../state/receive-result.ts"
import { withRecoveryBundle } from "./hello.ts"
import type { DeviceId } from "../../store/ids.ts"

export type AcceptedHandshake = { readonly kind: "accepted"; readonly device: DeviceId }

/** Accepts an INIT for an open bundle of ours: adds contact, device, session and WELCOME, and deletes the bundle's secrets. */
export function acceptHandshake(
  state: EngineState,
  self: Self,
  answered: { readonly record: OpenBundleRecord; readonly init: Uint8Array },
  input: StepInput,
): Decision<AcceptedHandshake | ReceiveResult> {
  const { record, init } = answered
  const { open, mode, psk } = readBundleSecrets(record)
  const answer = respond({ identity: self.identity, open, psk, mode }, init)
  if (answer.kind === "refused") return dropFrame("forged")
  const { established } = answer
  const helloFrame = answer.frames.find((frame) => frame.kind === "hello")
  if (helloFrame === undefined) return dropFrame("malformed")
  const introduction = introductionOfBundle(state, open.bundle.bytes)
  const key = encodeIdentity(established.peer)
  const previous = findDevice(state, key)
  const judged = judgeAccount(state, answer, previous)
  if (judged.kind === "refused") return refuseAccount(helloFrame.name, judged.why)
  const why = refusalOf(state, record, previous, judged) ?? introductionRefusal(record, introduction, judged)
  if (why !== undefined) return dropFrame(why)
  const superseded = supersededIn(answer.frames)
  const crossed = previous && crossesOurs(state, self, { previous, established, init, superseded }, input)
  if (crossed !== undefined) return crossed
  if (isTaken(state, record, previous)) return dropFrame("withheld")
  const removal = previous && learnRemoval(state, previous, judged, input)
  if (removal !== undefined) return { ...dropFrame("forged"), ...removal }
  const wanted = wantedName(introduction, helloFrame.name, key)
  const mailbox = mailboxFor(record, previous)
  const metBefore = isMet(state, previous, admittedOwner(judged))
  const heads = { hello: helloFrame, owner: ownHead(self), metBefore }
  const { comparison, share } = answerShare(established, heads, input)
  const setup = {
    ...{ previous, owner: admittedOwner(judged), established, comparison, mailbox },
    by: handshakeOf(record),
  }
  const update = setUpContact(state, setup, wanted, input)
  update.device = withRecoveryBundle(update.device, helloFrame.recoveryBundle, wallSeconds(input))
  const recovery = recoveryBundle(self.identity, { device: open.bundle.inbox.device, mailbox }, input)
  keepRecoveryBundle(update, recovery, established)
  update.changes.push(...keepSuperseded(state, previous, update.device, input))
  noteNewSession(state, update, self, previous)
  recordInit(state, update, record, [...superseded, initMid(init)])
  noteIntroduction(state, update, introduction)
  noteUnfinished(update, previous)
  noteHave(state, update, answer.frames, record.device !== null)
  const frames = hello(self, recovery, share, supersededFrames(state, previous))
  const welcome = { kind: "handshake", frames } as const
  if (sealAndEnqueue(update, welcome).kind === "refused") return dropFrame("malformed")
  noteAccount(state, update, { record, judged, isKnown: previous !== undefined, wanted })
  return toDecision(state, update, { kind: "accepted", device: update.device.id })
}

/** What follows where our own INIT counts, or this one was accepted before; undefined if it is to be accepted [D-32]. */
function crossesOurs(
  state: EngineState,
  self: Self,
  theirs: {
    readonly previous: DeviceRecord
    readonly established: Established
    readonly init: Uint8Array
    readonly superseded: readonly Uint8Array[]
  },
  input: StepInput,
): Decision<ReceiveResult> | undefined {
  const { previous, established, init, superseded } = theirs
  if (isKnownInit(state, previous.id, init)) return onKnownInit(state, previous.id)
  // If both started at once and ours counts, it is the answer, unless it went to a machine they no longer use.
  if (!isSameDevice(previous, established.peerInbox)) return undefined
  if (!oursWins(state, previous, self.identity.public) && !awaitsWelcome(previous)) return undefined
  if (isRetried(state, previous.id, input.now)) return undefined
  const kept = keepOurs(state, previous.id, init, input)
  return { ...kept, commit: [...kept.commit, rememberedInits(state, previous.id, superseded)] }
}

/** Where ours lost only because it seems not to have arrived, its answer may still come [D-154]. */
function noteNewSession(
  state: EngineState,
  update: DeviceUpdate,
  self: Self,
  previous: DeviceRecord | undefined,
): void {
  const { id } = update.device
  update.changes.push(withNewSession(state, id))
  const mayBeAnswered = previous !== undefined && oursWins(state, previous, self.identity.public)
  update.changes.push(...(mayBeAnswered ? keepCrossed(state, previous, update) : dropCrossed(state, id)))
}

/** Whether the other side was a contact before this handshake. */
function isMet(
  state: EngineState,
  previous: DeviceRecord | undefined,
  owner: ContactRecord | undefined,
): boolean {
  const contact = previous === undefined ? owner : contactOf(state, previous.id)
  return contact?.accountId !== undefined
}

/** Of someone who was introduced, the introducer's name for them: a person here has agreed to that one. */
function wantedName(
  introduction: IntroductionRecord | undefined,
  name: Uint8Array,
  identity: Uint8Array,
): string {
  return introduction?.name ?? offeredName(name) ?? placeholderName(identity)
}

/**
 * Ours was answered, and the WELCOME, which says what INITs of theirs are void, was overtaken [D-153]. This one may be void: if
 * it is not, it comes again.
 */
function awaitsWelcome(device: DeviceRecord): boolean {
  return device.state === "established" && comparisonOf(device)?.kind === "committed"
}

function keepOurs(
  state: EngineState,
  id: DeviceId,
  init: Uint8Array,
  { now }: StepInput,
): Decision<ReceiveResult> {
  return { ...duplicate(id), commit: loseInit(state, id, init, now) }
}

type AccountShown = {
  readonly record: OpenBundleRecord
  readonly judged: Extract<Judged, { kind: "judged" }>
  readonly isKnown: boolean
  readonly wanted: string
}

/** They are a contact for the person once their account is verified, which may take further frames [D-71]. */
function noteAccount(
  state: EngineState,
  update: DeviceUpdate,
  { record, judged, isKnown, wanted }: AccountShown,
): void {
  const { input } = update
  const isOffer = record.device === null
  const before = shownBefore(state, update, record)
  // Texts of the session before are no part of this one.
  const until = judged.membership.kind === "admitted" ? 0 : before.until
  if (!noteShown(state, update, judged, { ...before, until })) {
    const { commit, effects } = makeRoom(state, update.device.id, input)
    update.changes.push(...commit)
    update.effects.push(...effects)
    return
  }
  const { tag, offer } = before
  if (tag.length === 0) return
  const renaming = isKnown ? NOT_RENAMED : noteRenaming(state, update, wanted)
  const { id: device } = update.device
  update.effects.push({ kind: "accepted", device, tag, offer, known: isKnown && isOffer, renaming })
}

function shownBefore(
  state: EngineState,
  { device, contact, input }: DeviceUpdate,
  record: OpenBundleRecord,
): ShownAccount {
  const fresh = notShown(input.now, 0)
  if (record.device === null) return { ...fresh, tag: record.tag, offer: offerId(record) }
  return keptByRecovery(state, device.id, contact, fresh)
}

function refusalOf(
  state: EngineState,
  { device }: OpenBundleRecord,
  previous: DeviceRecord | undefined,
  { owner, shown }: Extract<Judged, { kind: "judged" }>,
): "blocked" | "forged" | undefined {
  if (owner?.blocked === true) return "blocked"
  if (device === null) return undefined
  // A recovery never changes a device's key [D-31], nor the account that was named for it [D-83].
  const named = shownBy(state, device)?.accountId ?? shown.accountId
  const isSame = named.length === 0 || equal(named, shown.accountId)
  return previous?.id === device && isSame ? undefined : "forged"
}

/**
 * Whether another device has answered the bundle of an introduction, and has to show its links yet: there is one mailbox for
 * both. The INIT of this one comes again.
 */
function isTaken(
  { mailboxes }: EngineState,
  { mode, mailbox }: OpenBundleRecord,
  previous: DeviceRecord | undefined,
): boolean {
  const by = mailboxes.get(toHex(mailbox))
  return mode === MODE.introduction && by !== undefined && by !== previous?.id
}

/** The bundle of an introduction stays open for the account that was named. */
function introductionRefusal(
  { mode }: OpenBundleRecord,
  introduction: IntroductionRecord | undefined,
  judged: Extract<Judged, { kind: "judged" }>,
): "forged" | undefined {
  return mode !== MODE.introduction || isIntroduced(introduction, judged) ? undefined : "forged"
}

function handshakeOf({ device }: OpenBundleRecord): Handshake {
  return device === null ? "they answer our offer" : "they start a recovery"
}

/** A recovery bundle may name an older mailbox than its device has now. */
function mailboxFor(record: OpenBundleRecord, previous: DeviceRecord | undefined): Uint8Array {
  return record.device === null || previous === undefined ? record.mailbox : previous.mailbox
}

/** An offer is used up; a recovery bundle stays valid until the new session is confirmed. */
function recordInit(
  state: EngineState,
  update: DeviceUpdate,
  { device, tag, mode }: OpenBundleRecord,
  inits: readonly Uint8Array[],
): void {
  // That of an introduction is open until the account is verified [D-83].
  const isUsedUp = device === null && mode !== MODE.introduction
  if (isUsedUp) update.changes.push({ kind: "close-bundle", tag })
  if (device !== null) addSystemMessage(update, `the connection with ${update.contact.name} was renewed`)
  rememberInits(state, update, inits)
}
