import { toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { ContactRecord, DeviceRecord, DeviceState } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { ContactId, DeviceId } from "../../store/ids.ts"

/** All devices of a contact, in the order in which we met them. */
export function devicesOf(state: EngineState, contact: ContactId): DeviceRecord[] {
  return (state.devicesByContact.get(contact) ?? []).flatMap((id) => state.devices.get(id) ?? [])
}

/** The device with this key of 64 bytes. */
export function findDevice(state: EngineState, key: Uint8Array): DeviceRecord | undefined {
  const wanted = toHex(key)
  for (const device of state.devices.values()) if (toHex(device.key) === wanted) return device
  return undefined
}

/** Whose device it is; undefined if it was forgotten. */
export function contactOf(state: EngineState, device: DeviceId): ContactRecord | undefined {
  const record = state.devices.get(device)
  return record && state.contacts.get(record.contact)
}

/** Faults `not-found` if it was forgotten. */
export function findDeviceById(state: EngineState, id: DeviceId): DeviceRecord {
  const device = state.devices.get(id)
  if (device !== undefined) return device
  throw new Fault("not-found", "the contact was forgotten meanwhile", "mqttchat contacts")
}

/** A contact is as well connected as the best of its devices. */
const BEST_FIRST: readonly DeviceState[] = ["established", "unconfirmed", "recovering", "init-sent"]

/** The state of a contact, summed up over its devices. */
export function summedState(devices: readonly DeviceRecord[]): DeviceState {
  return BEST_FIRST.find((state) => devices.some((device) => device.state === state)) ?? "recovering"
}

/** Since when all of them send to another device of ours, unix ms; 0 while one still sends here. */
export function movedSince(devices: readonly DeviceRecord[]): number {
  return devices.length === 0 ? 0 : Math.min(...devices.map(({ movedAt }) => movedAt))
}
