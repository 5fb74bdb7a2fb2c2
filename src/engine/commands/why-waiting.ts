import type { ContactRecord, DeviceRecord, OutgoingRecord } from "../../store/records.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import { findDeviceById, movedSince, summedState } from "../contacts/devices.ts"
import { isQueued } from "../messages/deliveries.ts"
import { whyRefused } from "../messages/refusals.ts"
import type { EngineState } from "../state/engine-state.ts"
import { isUncompared } from "../state/send-gate.ts"
import { isUnsealed } from "../state/unsealed.ts"
import type { EngineParts } from "./engine-parts.ts"

/** Why entries of the outbox for one contact are still there: what a person can do something about comes first. */
export function whyWaiting(
  { broker, queue }: EngineParts,
  contact: ContactRecord,
  entries: readonly OutgoingRecord[],
): string {
  const connection = broker.status()
  const devices = entries.map(({ device }) => findDeviceById(queue.state(), device))
  const { name } = contact
  const held = whyWithheld(contact, devices)
  if (held !== undefined) return held
  const [refused] = entries.flatMap(({ refusal }) => refusal ?? [])
  if (refused !== undefined) return whyRefused(refused)
  if (devices.every((device) => isUnrecoverable(queue.state(), device)))
    return `there is no session with ${name}, and no key to make one: pair again`
  if (connection.kind !== "online") return connection.reason
  const state = summedState(devices)
  if (state === "init-sent" || state === "recovering") return `${name} has not answered the handshake yet`
  if (devices.every(({ id }) => isUnfinished(queue.state(), id)))
    return `${name} has not shown their account yet`
  if (!isQueued({ entries })) return `the broker has it; ${name} has not acknowledged it yet`
  if (entries.every(isUnsealed)) return `${name} has to answer before more can be sent`
  return "it is on its way to the broker"
}

/** A device from a backup that never sent a recovery bundle. */
function isUnrecoverable({ sessions }: EngineState, { id, state, recoveryBundle }: DeviceRecord): boolean {
  return state === "recovering" && !sessions.has(id) && recoveryBundle.length === 0
}

function whyWithheld(contact: ContactRecord, devices: readonly DeviceRecord[]): string | undefined {
  const { name, blocked } = contact
  if (blocked) return `${name} is blocked`
  if (movedSince(devices) > 0) return `${name} now sends to another device of yours`
  if (contact.lockedAt > 0) return `the account of ${name} was changed in two ways that contradict each other`
  if (isUncompared(contact)) return `you have not compared the new key of ${name}`
  return undefined
}
