import type { AccountLink } from "../../src/store/account-record.ts"
import type { DeviceId } from "../../src/store/ids.ts"
import type { Store } from "../../src/store/message-store.ts"

/** The sessions as they are on disk now, by device. */
export async function snapshotsIn(store: Store): Promise<Map<DeviceId, Uint8Array>> {
  const { devices, snapshotOf } = await store.load()
  return new Map(
    devices.flatMap(({ id }) => {
      const snapshot = snapshotOf(id)
      return snapshot === undefined ? [] : [[id, snapshot] as const]
    }),
  )
}

/** The links of all accounts as they are on disk now. */
export async function linksIn(store: Store): Promise<AccountLink[]> {
  const { contacts, linksOf } = await store.load()
  return contacts.flatMap(({ id }) => linksOf(id))
}
