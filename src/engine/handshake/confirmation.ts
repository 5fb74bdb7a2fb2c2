import { equal, toHex, type RecoverySecret } from "../../crypto/bytes.ts"
import { recoveryPsk } from "../../session/handshake.ts"
import type { DeviceRecord, OpenBundleRecord } from "../../store/records.ts"
import { encodeIdentity, type PublicIdentity } from "../../wire/identity.ts"
import type { EngineState } from "../state/engine-state.ts"
import { outgoingOfKind } from "../state/outgoing-index.ts"
import { readBundleSecrets } from "./bundles.ts"
import { confirmMailbox } from "./mailbox-rotation.ts"
import { retire } from "./retired-bundles.ts"
import { afterMessage } from "../contacts/device-state.ts"
import type { Change } from "../state/decision.ts"
import { seconds, type DeviceUpdate } from "../state/update.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import { messageId } from "../state/message-id.ts"
import type { DeviceId } from "../../store/ids.ts"

const NOTHING = new Uint8Array(0)
/** More than a device is set up again; only the device itself could cause more. */
const INITS_MAX = 64

/** Whether this INIT of the device was accepted before: a repeated one must not start the session again. */
export function wasAccepted(state: EngineState, device: DeviceId, init: Uint8Array): boolean {
  const mid = messageId(init)
  return acceptedInits(state, device).some((accepted) => equal(accepted, mid))
}

/** Whether it started the present session: those of earlier INITs are over. */
export function wasAcceptedLast(state: EngineState, device: DeviceId, init: Uint8Array): boolean {
  const last = acceptedInits(state, device).at(-1)
  return last !== undefined && equal(last, messageId(init))
}

export function rememberInit(state: EngineState, device: DeviceId, init: Uint8Array): Change {
  return remember(state, device, messageId(init))
}

function remember(state: EngineState, device: DeviceId, init: Uint8Array): Change {
  const mids = [...acceptedInits(state, device), init].slice(-INITS_MAX)
  return { kind: "device-part", device, part: "acceptedInits", value: { mids } }
}

function acceptedInits(state: EngineState, device: DeviceId): readonly Uint8Array[] {
  return state.deviceParts.get(device)?.acceptedInits?.mids ?? []
}

/** Both started at once: the INIT of the smaller device key counts [D-32]. */
export function oursWins(state: EngineState, device: DeviceRecord, self: PublicIdentity): boolean {
  return isInitUnanswered(state, device) && toHex(encodeIdentity(self)) < toHex(device.key)
}

/** A device from a backup may be `recovering` before any INIT is made. */
function isInitUnanswered(state: EngineState, { id, state: deviceState }: DeviceRecord): boolean {
  if (deviceState !== "recovering" && deviceState !== "init-sent") return false
  return outgoingOfKind(state, id, "init").length > 0
}

/** Where we answered, their first message confirms them; where they answered, the first of their second chain does [S-14]. */
export function confirm(state: EngineState, update: DeviceUpdate, newChain: boolean): void {
  const { contact, device } = update
  const nextState = afterMessage(device.state, newChain)
  if (nextState === device.state) return
  const next = device.nextRecoverySecret
  const isTheirAnswer = next.length > 0 && device.state !== "unconfirmed"
  const recoverySecret = isTheirAnswer ? next : device.recoverySecret
  update.device = { ...device, state: nextState, recoverySecret, nextRecoverySecret: NOTHING }
  for (const { seq } of outgoingOfKind(state, device.id, "init"))
    update.changes.push({ kind: "outgoing-done", seq })
  // Our INIT was answered: theirs that lost against it is over, whenever the broker delivers it again.
  const { lostInit } = state.deviceParts.get(device.id)?.recovery ?? {}
  if (device.state !== "unconfirmed" && lostInit)
    update.changes.push(remember(state, device.id, lostInit.mid))
  // The INIT that was answered names where we receive.
  if (device.state !== "unconfirmed") confirmMailbox(state, update)
  update.changes.push(...retire(supersededBundles(state, update.device), seconds(update.input)))
  if (device.state === "recovering")
    addSystemMessage(update, `the connection with ${contact.name} was renewed`)
}

/** Recovery bundles of earlier sessions. Until this one is confirmed, the peer may have to return to one of them. */
function supersededBundles(state: EngineState, { id, recoverySecret }: DeviceRecord): OpenBundleRecord[] {
  return [...state.bundles.values()].filter((record) => {
    if (record.device !== id) return false
    const { hash } = readBundleSecrets(record).open.bundle
    return toHex(record.psk) !== toHex(recoveryPsk(hash, recoverySecret as RecoverySecret))
  })
}
