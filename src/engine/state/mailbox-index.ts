import { toHex } from "../../crypto/bytes.ts"
import type { DeviceId } from "../../store/ids.ts"
import type { LazyMap } from "./lazy-map.ts"
import type { DeviceParts, DeviceRecord } from "../../store/records.ts"

/** What of the state says where we receive. */
type Mailboxes = {
  readonly devices: LazyMap<DeviceId, DeviceRecord>
  readonly deviceParts: LazyMap<DeviceId, Partial<DeviceParts>>
  /** Device by mailbox in hex. */
  readonly mailboxes: LazyMap<string, DeviceId>
}

/** All mailboxes in which frames of a device count: the present one, and those before it that still may get some. */
export function mailboxesOf(
  { devices, deviceParts }: Omit<Mailboxes, "mailboxes">,
  id: DeviceId,
): Uint8Array[] {
  const device = devices.get(id)
  if (device === undefined) return []
  return [device.mailbox, ...(deviceParts.get(id)?.mailboxRotation?.old ?? [])]
}

/** Runs a change of the device or its parts, and keeps the index of mailboxes with it. */
export function reindexed(state: Mailboxes, id: DeviceId, change: () => unknown): void {
  for (const mailbox of mailboxesOf(state, id)) state.mailboxes.delete(toHex(mailbox))
  change()
  for (const mailbox of mailboxesOf(state, id)) state.mailboxes.set(toHex(mailbox), id)
}
