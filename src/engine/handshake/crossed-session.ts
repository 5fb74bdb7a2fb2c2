import { equal } from "../../crypto/bytes.ts"
import { open, type Opened } from "../../session/ratchet.ts"
import { decodeSession, encodeSession } from "../../session/snapshot.ts"
import type { DeviceRecord } from "../../store/records.ts"
import { keptByRecovery, notShown, shownChange } from "../accounts/unfinished.ts"
import type { Change } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { NO_TEXTS } from "../state/text-numbers.ts"
import { seconds, type DeviceUpdate } from "../state/update.ts"
import { unsealTexts } from "./contact-setup.ts"
import { rotationWithBoth } from "./mailbox-rotation.ts"
import type { DeviceId } from "../../store/ids.ts"

const NOTHING = new Uint8Array(0)
const NONE = {
  ...{ snapshot: NOTHING, isRecovery: false, mailbox: NOTHING, peerInbox: NOTHING, comparison: NOTHING },
  ...{ recoverySecret: NOTHING, nextRecoverySecret: NOTHING },
}

/**
 * Our session when we accept an INIT that had lost to ours, because ours seemed not to have arrived: a slow broker may deliver
 * it all the same, and then its answer counts [D-154].
 */
export function keepCrossed(
  state: EngineState,
  before: DeviceRecord,
  { device, input }: DeviceUpdate,
): Change[] {
  const session = state.sessions.get(before.id)
  if (session === undefined) return []
  const { mailbox, peerInbox, comparison, recoverySecret, nextRecoverySecret } = before
  const isRecovery = before.state === "recovering"
  const snapshot = encodeSession(session)
  const value = { snapshot, isRecovery, mailbox, peerInbox, comparison, recoverySecret, nextRecoverySecret }
  return [
    { kind: "device-part", device: before.id, part: "crossedSession", value },
    ...bothMailboxes(device, mailbox, input.now),
  ]
}

function bothMailboxes({ id, mailbox }: DeviceRecord, other: Uint8Array, now: number): Change[] {
  return equal(mailbox, other) ? [] : [rotationWithBoth(id, other, now)]
}

/** The other session is confirmed, or another handshake has begun. */
export function dropCrossed(state: EngineState, device: DeviceId): Change[] {
  const crossed = state.deviceParts.get(device)?.crossedSession
  if (crossed === undefined || crossed.snapshot.length === 0) return []
  return [{ kind: "device-part", device, part: "crossedSession", value: NONE }]
}

/** Opens the answer to our own INIT after all, and takes our session back. Nothing was said in the other one. */
export function openCrossed(
  state: EngineState,
  update: DeviceUpdate,
  wire: Uint8Array,
): Extract<Opened, { kind: "opened" }> | undefined {
  const { device, contact, input } = update
  const crossed = state.deviceParts.get(device.id)?.crossedSession
  const session = crossed && device.state === "unconfirmed" ? decodeSession(crossed.snapshot) : undefined
  const opened = session && open(session, wire, seconds(input))
  if (crossed === undefined || opened?.kind !== "opened") return undefined
  const { isRecovery, mailbox, peerInbox, comparison, recoverySecret, nextRecoverySecret } = crossed
  const before = isRecovery ? "recovering" : "init-sent"
  update.device = {
    ...device,
    state: before,
    mailbox,
    peerInbox,
    comparison,
    recoverySecret,
    nextRecoverySecret,
  }
  update.receipts = []
  update.textNumbers = { ...NO_TEXTS }
  unsealTexts(state, update)
  update.changes.push(...bothMailboxes(update.device, device.mailbox, input.now))
  const shown = keptByRecovery(state, device.id, contact, notShown(input.now, 0))
  update.changes.push(shownChange(device.id, shown), ...dropCrossed(state, device.id))
  update.effects.push({ kind: "session-replaced", device: device.id, oldMailboxes: [] })
  return opened
}
