import { equal, type RecoverySecret } from "../../crypto/bytes.ts"
import type { DeviceId } from "../../store/ids.ts"
import type { MailboxRotation } from "../../store/device-parts.ts"
import type { DeviceRecord } from "../../store/records.ts"
import { DAY_MS, HOUR_MS } from "../../time-units.ts"
import type { Frame } from "../../wire/frame.ts"
import type { IdentityKeys } from "../../wire/identity.ts"
import { ID_BYTES, type Inbox } from "../../wire/topics.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { sealAnswer } from "../state/outgoing.ts"
import { KEPT_MS } from "../state/peer-topic.ts"
import { receiverOf, sendableTo } from "../state/send-gate.ts"
import { readTextNumbers } from "../state/text-numbers.ts"
import { seconds, toDecision, updateFor, type DeviceUpdate, type StepInput } from "../state/update.ts"
import { bundlesOf, isOfPresentSession, readBundleSecrets } from "./bundles.ts"
import { keepRecoveryBundle, recoveryBundle } from "./hello.ts"
import { retire } from "./retired-bundles.ts"

/** A mailbox is replaced after so long, or so many texts of both sides, whichever comes first [D-160]. */
const ROTATE_AFTER_MS = 7 * DAY_MS
const ROTATE_AFTER_TEXTS = 1_000
/** Each is one more subscription, and none may end before its time: a third has to wait [D-162]. */
const OLD_MAX = 2
/**
 * Mailboxes of one profile. The embedded broker takes 12,000 filters of one connection, of which 1,000 are left for contacts
 * and offers to come: at 10,000 contacts the first thousand rotations of a month are made, and the others wait.
 */
const MAILBOXES_MAX = 11_000
/** After a broker refused the new mailbox, or the connection ended meanwhile: it may have ended because of it. */
const REST_MS = DAY_MS
/** A mailbox that was named is named again after this, if the peer is heard of and has not said that it sends there. */
const NAME_AGAIN_MS = HOUR_MS
const NONE = new Uint8Array(0)

/** The mailbox of a device with a new session. A handshake by an offer has a new mailbox, and the old ones are of no use. */
export function rotationAtHandshake(
  state: EngineState,
  previous: DeviceRecord | undefined,
  { id, mailbox }: DeviceRecord,
  now: number,
): Change {
  const before = previous && rotationOf(state, previous.id)
  const next = before?.next ?? NONE
  const isSame = previous !== undefined && equal(previous.mailbox, mailbox)
  // The peer may have a state in which it knows an older one only.
  const confirmed = !isSame
  const { since, old, oldSince } =
    isSame && before !== undefined ? before : { since: now, old: [], oldSince: [] }
  return rotationChange(id, { next, since, texts: 0, notBefore: 0, confirmed, old, oldSince })
}

/** While two handshakes cross, the mailbox of the other one stays: its answer may come there [D-154]. */
export function rotationWithBoth(device: DeviceId, other: Uint8Array, now: number): Change {
  const fresh = { next: NONE, since: now, texts: 0, notBefore: 0, confirmed: true }
  return rotationChange(device, { ...fresh, old: [other], oldSince: [now] })
}

/** Chooses the next mailbox, if the time has come; it is on disk before the broker hears of it. */
export function beginRotation(
  state: EngineState,
  id: DeviceId,
  { now, random }: StepInput,
): Decision<Uint8Array | undefined> {
  const rotation = rotationOf(state, id)
  if (rotation === undefined || !isRotationDue(state, id, now)) return noChange(undefined)
  const next = random(ID_BYTES)
  return { commit: [rotationChange(id, { ...rotation, next })], effects: [], result: next }
}

export function isRotationDue(state: EngineState, id: DeviceId, now: number): boolean {
  const rotation = rotationOf(state, id)
  if (rotation === undefined || !rotation.confirmed || !isRested(rotation, now)) return false
  const { since, texts, old, next } = rotation
  if (now - since < ROTATE_AFTER_MS && textsWith(state, id) - texts < ROTATE_AFTER_TEXTS) return false
  if (next.length > 0 || old.length >= OLD_MAX || state.mailboxes.size >= MAILBOXES_MAX) return false
  return state.devices.get(id)?.state === "established" && mayName(state, id)
}

/**
 * The broker has granted the next mailbox: it is named to the device, with a new recovery bundle, and the one before stays.
 * False if that cannot be; then nothing has changed.
 */
export function nameNext(
  state: EngineState,
  id: DeviceId,
  to: { readonly identity: IdentityKeys; readonly inbox: Inbox },
  input: StepInput,
): Decision<boolean> {
  const update = updateFor(state, id, input)
  const rotation = rotationOf(state, id)
  const { mailbox } = to.inbox
  if (update?.device.state !== "established" || rotation === undefined || !mayName(state, id))
    return noChange(false)
  if (!rotation.confirmed || !equal(rotation.next, mailbox)) return noChange(false)
  const { device } = update
  const recovery = recoveryBundle(to.identity, to.inbox, input)
  const frames: Frame[] = [
    { kind: "topic", mailbox },
    { kind: "recovery-bundle", bundle: recovery.bundle.bytes },
  ]
  if (sealAnswer(state, update, { kind: "topic", frames }).kind === "refused") return noChange(false)
  update.device = { ...device, mailbox }
  keepRecoveryBundle(update, recovery, { recoverySecret: device.recoverySecret as RecoverySecret })
  update.changes.push(rotationChange(id, named(rotation, device.mailbox, textsWith(state, id), input.now)))
  return toDecision(state, update, true)
}

function named(before: MailboxRotation, mailbox: Uint8Array, texts: number, now: number): MailboxRotation {
  return {
    next: NONE,
    since: now,
    texts,
    notBefore: now + NAME_AGAIN_MS,
    confirmed: false,
    old: [...before.old, mailbox],
    oldSince: [...before.oldSince, 0],
  }
}

/** The next mailbox was not named, and the broker has no subscription of it: it is forgotten, and another one waits. */
export function forgetNext(
  state: EngineState,
  id: DeviceId,
  mailbox: Uint8Array,
  { now }: StepInput,
): Decision<null> {
  const rotation = rotationOf(state, id)
  if (rotation === undefined || !equal(rotation.next, mailbox)) return noChange(null)
  const change = rotationChange(id, { ...rotation, next: NONE, notBefore: now + REST_MS })
  return { commit: [change], effects: [], result: null }
}

export function mustNameAgain(state: EngineState, id: DeviceId, now: number): boolean {
  const rotation = rotationOf(state, id)
  if (rotation === undefined || rotation.confirmed || !isRested(rotation, now)) return false
  const deviceState = state.devices.get(id)?.state
  return (deviceState === "established" || deviceState === "unconfirmed") && mayName(state, id)
}

/** The session in which the mailbox was named is over, or what named it was given up: it is named in the present one. */
export function nameAgain(state: EngineState, id: DeviceId, input: StepInput): Decision<null> {
  const update = updateFor(state, id, input)
  const rotation = rotationOf(state, id)
  if (update === undefined || rotation === undefined || !mustNameAgain(state, id, input.now))
    return noChange(null)
  const { mailbox } = update.device
  const frames: Frame[] = [{ kind: "topic", mailbox }, ...bundleAt(state, update.device)]
  if (sealAnswer(state, update, { kind: "topic", frames }).kind === "refused") return noChange(null)
  update.changes.push(rotationChange(id, { ...rotation, notBefore: input.now + NAME_AGAIN_MS }))
  return toDecision(state, update, null)
}

/** The bundle that was made for the present mailbox, in the present session: the peer has no secret for another. */
function bundleAt(state: EngineState, device: DeviceRecord): Frame[] {
  const at = bundlesOf(state, device.id).filter(
    (record) => equal(record.mailbox, device.mailbox) && isOfPresentSession(record, device),
  )
  const newest = at.sort((a, b) => b.notAfter - a.notAfter)[0]
  return newest === undefined
    ? []
    : [{ kind: "recovery-bundle", bundle: readBundleSecrets(newest).open.bundle.bytes }]
}

/**
 * The device sends to the present mailbox from now on: it said so, or answered the INIT that names it. What lies in those
 * before is still taken. Whether that is news.
 */
export function confirmMailbox(state: EngineState, { device, changes, input }: DeviceUpdate): boolean {
  const rotation = rotationOf(state, device.id)
  if (rotation === undefined || rotation.confirmed) return false
  const oldSince = rotation.oldSince.map((since) => since || input.now)
  changes.push(rotationChange(device.id, { ...rotation, confirmed: true, oldSince }))
  return true
}

/** The device has the bundle of the present mailbox; those from before are good as long as those of sessions that are over [D-33]. */
export function retireBundles(state: EngineState, { device, changes, input }: DeviceUpdate): void {
  const before = bundlesOf(state, device.id).filter((record) => !equal(record.mailbox, device.mailbox))
  changes.push(...retire(before, seconds(input)))
}

/** The mailboxes whose time is over. */
export function overdueMailboxes(state: EngineState, id: DeviceId, now: number): readonly Uint8Array[] {
  const rotation = rotationOf(state, id)
  if (rotation?.confirmed !== true) return []
  return rotation.old.filter((_, at) => isOver(rotation.oldSince[at], now))
}

type LeftMailbox = { readonly device: DeviceId; readonly mailbox: Uint8Array; readonly since: number }

/** Of all mailboxes that their devices have left, the one that was left first. */
export function oldestLeft({ deviceParts }: EngineState): LeftMailbox | undefined {
  let oldest: LeftMailbox | undefined
  for (const [device, { mailboxRotation }] of deviceParts) {
    const mailbox = mailboxRotation?.confirmed === true ? mailboxRotation.old[0] : undefined
    const since = mailboxRotation?.oldSince[0] ?? 0
    if (mailbox !== undefined && since < (oldest?.since ?? Infinity)) oldest = { device, mailbox, since }
  }
  return oldest
}

function isOver(since: number | undefined, now: number): boolean {
  return since !== undefined && since > 0 && now - since >= KEPT_MS
}

/** The broker has no subscription of this one any more. */
export function forgetOld(state: EngineState, id: DeviceId, mailbox: Uint8Array): Decision<null> {
  const rotation = rotationOf(state, id)
  if (rotation === undefined) return noChange(null)
  const isKept = (at: number): boolean => !equal(rotation.old[at] ?? NONE, mailbox)
  const old = rotation.old.filter((_, at) => isKept(at))
  const oldSince = rotation.oldSince.filter((_, at) => isKept(at))
  return { commit: [rotationChange(id, { ...rotation, old, oldSince })], effects: [], result: null }
}

export function rotationOf(state: EngineState, id: DeviceId): MailboxRotation | undefined {
  return state.deviceParts.get(id)?.mailboxRotation
}

function rotationChange(device: DeviceId, value: MailboxRotation): Change {
  return { kind: "device-part", device, part: "mailboxRotation", value }
}

/** A rest longer than the longest was set by a clock that was ahead. */
function isRested({ notBefore }: MailboxRotation, now: number): boolean {
  return now >= notBefore || notBefore - now > REST_MS
}

/** Not to a key that was not compared, and not before the account is verified [D-41] [D-71]. */
function mayName(state: EngineState, id: DeviceId): boolean {
  const device = state.devices.get(id)
  if (device === undefined || isUnfinished(state, id)) return false
  return sendableTo(receiverOf(state, device)) === "everything"
}

function textsWith(state: EngineState, id: DeviceId): number {
  const { sent, received } = readTextNumbers(state, id)
  return sent + received
}
