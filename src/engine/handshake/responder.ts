import { MODE, respond, type Established, type Responded } from "../../session/handshake.ts"
import type { IntroductionRecord } from "../../store/introduction-record.ts"
import type { ContactRecord, DeviceId, DeviceRecord, OpenBundleRecord } from "../../store/records.ts"
import { encodeIdentity } from "../../wire/identity.ts"
import { noteShown } from "../accounts/adopt.ts"
import { judgeShown, shownIn, type Judged } from "../accounts/judge-shown.ts"
import { makeRoom, notShown, type Consequences } from "../accounts/unfinished.ts"
import { notice } from "../state/events.ts"
import { setUpContact } from "./contact-setup.ts"
import type { EngineState } from "../state/engine-state.ts"
import { offerId, readBundleSecrets } from "./bundles.ts"
import type { Handshake } from "../contacts/device-state.ts"
import { offeredName, placeholderName } from "../contacts/contacts.ts"
import { contactOf, findDevice } from "../contacts/devices.ts"
import { introductionOfBundle } from "../contacts/introductions.ts"
import { isIntroduced, noteIntroduction } from "./introduced.ts"
import { type Decision, type Effect, NOT_RENAMED, type Renaming } from "../state/decision.ts"
import { seconds, toDecision, type DeviceUpdate, type StepInput } from "../state/update.ts"
import { oursWins, rememberInit } from "./confirmation.ts"
import { isSameDevice, keepSuperseded } from "./superseded-session.ts"
import { hello, isOfAnother, keepRecoveryBundle, recoveryBundle, type Self } from "./hello.ts"
import { noteRenaming } from "../contacts/numbered-name.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import { isRetried, loseInit } from "./recovery-policy.ts"
import { sealAndEnqueue } from "../state/outgoing.ts"
import { dropFrame, duplicate, type ReceiveResult } from "../state/receive-result.ts"
import { withRecoveryBundle } from "./hello.ts"

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
  const { owner } = judged
  const why = refusalOf(record, previous, owner) ?? introductionRefusal(record, introduction, established)
  if (why !== undefined) return dropFrame(why)
  if (previous !== undefined && losesToOurs(record, previous, established, self)) {
    if (!isRetried(state, previous.id, init, input.now)) return keepOurs(state, previous.id, init, input)
  }

  const wanted = wantedName(introduction, helloFrame.name, key)
  const mailbox = mailboxFor(record, previous)
  const update = setUpContact(
    state,
    { previous, owner: admittedOwner(judged), established, mailbox, by: handshakeOf(record) },
    wanted,
    input,
  )
  update.device = withRecoveryBundle(update.device, helloFrame.recoveryBundle, seconds(input))
  const recovery = recoveryBundle(self.identity, { device: open.bundle.inbox.device, mailbox }, input)
  keepRecoveryBundle(update, recovery, established)
  if (previous !== undefined) update.changes.push(...keepSuperseded(state, previous, update.device, input))
  recordInit(state, update, record, init)
  noteIntroduction(state, update, introduction)
  const welcome = { kind: "handshake", frames: hello(self, recovery, input.random) } as const
  if (sealAndEnqueue(update, welcome).kind === "refused") return dropFrame("malformed")
  const isAdmitted = noteShown(state, update, judged, {
    ...notShown(input.now, 0),
    ...(record.device === null ? { tag: record.tag, offer: offerId(record) } : {}),
  })
  if (!isAdmitted) addAll(update, makeRoom(state, input))
  if (isAdmitted && record.device === null) {
    const renaming = previous === undefined ? noteRenaming(state, update, wanted) : NOT_RENAMED
    update.effects.push(accepted(update.device, record, previous !== undefined, renaming))
  }
  return toDecision(state, update, { kind: "accepted", device: update.device.id })
}

/** Of someone who was introduced, the introducer's name for them: a person here has agreed to that one. */
function wantedName(
  introduction: IntroductionRecord | undefined,
  name: Uint8Array,
  identity: Uint8Array,
): string {
  return introduction?.name ?? offeredName(name) ?? placeholderName(identity)
}

function accepted(
  { id }: DeviceRecord,
  record: OpenBundleRecord,
  known: boolean,
  renaming: Renaming,
): Effect {
  return { kind: "accepted", device: id, tag: record.tag, offer: offerId(record), known, renaming }
}

/** Both started at once and ours counts: our own INIT is the answer, unless it went to a machine they no longer use. */
function losesToOurs(
  record: OpenBundleRecord,
  previous: DeviceRecord,
  { peerInbox }: Established,
  self: Self,
): boolean {
  return (
    record.device !== null && oursWins(previous, self.identity.public) && isSameDevice(previous, peerInbox)
  )
}

function keepOurs(
  state: EngineState,
  id: DeviceId,
  init: Uint8Array,
  { now }: StepInput,
): Decision<ReceiveResult> {
  return { ...duplicate(id), commit: loseInit(state, id, init, now) }
}

function judgeAccount(
  state: EngineState,
  { established, frames }: Extract<Responded, { kind: "accepted" }>,
  previous: DeviceRecord | undefined,
): Judged {
  const helloFrame = frames.find((frame) => frame.kind === "hello")
  if (helloFrame === undefined || isOfAnother(encodeIdentity(established.peer), helloFrame.recoveryBundle))
    return { kind: "refused", why: "sent a recovery bundle of another device" }
  const chain = frames.find((frame) => frame.kind === "chain")
  const contact = previous && contactOf(state, previous.id)
  return judgeShown(state, contact, shownIn(helloFrame, chain), established.peer)
}

/** The frame is dropped, and the person is told: they wait for someone to answer. */
function refuseAccount(name: Uint8Array, why: string): Decision<ReceiveResult> {
  const dropped = dropFrame("forged")
  const event = notice(
    `${offeredName(name) ?? "somebody"} answered an offer and ${why}; nothing of it was kept`,
  )
  return { ...dropped, effects: [...dropped.effects, { kind: "event", event }] }
}

function admittedOwner({ admission, owner }: Extract<Judged, { kind: "judged" }>): ContactRecord | undefined {
  return admission.kind === "admitted" ? owner : undefined
}

function addAll(update: DeviceUpdate, { commit, effects }: Consequences): void {
  update.changes.push(...commit)
  update.effects.push(...effects)
}

function refusalOf(
  { device }: OpenBundleRecord,
  previous: DeviceRecord | undefined,
  owner: ContactRecord | undefined,
): "blocked" | "forged" | undefined {
  if (owner?.blocked === true) return "blocked"
  // A recovery never changes a device's key [D-31].
  return device !== null && previous?.id !== device ? "forged" : undefined
}

/** The bundle of an introduction stays open for the account that was named. */
function introductionRefusal(
  { mode }: OpenBundleRecord,
  introduction: IntroductionRecord | undefined,
  { peer }: Established,
): "forged" | undefined {
  return mode !== MODE.introduction || isIntroduced(introduction, peer) ? undefined : "forged"
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
  { device, tag }: OpenBundleRecord,
  init: Uint8Array,
): void {
  if (device === null) update.changes.push({ kind: "close-bundle", tag })
  else addSystemMessage(update, `the connection with ${update.contact.name} was renewed`)
  update.changes.push(rememberInit(state, update.device.id, init))
}
