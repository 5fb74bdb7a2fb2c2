import { toHex } from "../../crypto/bytes.ts"
import type { DeviceRecord, OpenBundleRecord } from "../../store/records.ts"
import { encodeIdentity, type PublicIdentity } from "../../wire/identity.ts"
import type { EngineState } from "../state/engine-state.ts"
import { outgoingOfKind } from "../state/outgoing-index.ts"
import { bundlesOf, isOfPresentSession } from "./bundles.ts"
import { confirmMailbox } from "./mailbox-rotation.ts"
import { retire } from "./retired-bundles.ts"
import { afterMessage } from "../contacts/device-state.ts"
import { seconds, type DeviceUpdate } from "../state/update.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import { dropCrossed } from "./crossed-session.ts"
import { ownInitsDone } from "./init-memory.ts"
import { endRecovery } from "./recovery-state.ts"

const NOTHING = new Uint8Array(0)

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
  endRecovery(state, update)
  update.changes.push(...ownInitsDone(state, device.id), ...dropCrossed(state, device.id))
  // The INIT that was answered names where we receive.
  if (device.state !== "unconfirmed") confirmMailbox(state, update)
  update.changes.push(...retire(supersededBundles(state, update.device), seconds(update.input)))
  if (device.state === "recovering")
    addSystemMessage(update, `the connection with ${contact.name} was renewed`)
}

/** Recovery bundles of earlier sessions. Until this one is confirmed, the peer may have to return to one of them. */
function supersededBundles(state: EngineState, device: DeviceRecord): OpenBundleRecord[] {
  return bundlesOf(state, device.id).filter((record) => !isOfPresentSession(record, device))
}
