import type { Database } from "./database.ts"
import { lastEvent } from "./event-log.ts"
import type { ContactId, DeviceState, LoadedState, SettingKey } from "./records.ts"
import { CONTACTS, DEVICE_TABLES, HELD, OPEN_BUNDLES, OUTGOING, SESSIONS, SETTINGS } from "./tables.ts"
import { selectAll } from "./table.ts"

/** Everything but the conversations. */
export function loadState(database: Database): LoadedState {
  const outgoing = selectAll(database, OUTGOING, "seq")
  const sessions = selectAll(database, SESSIONS, "contact")
  const settings = selectAll(database, SETTINGS, "key")
  return {
    contacts: selectAll(database, CONTACTS, "id"),
    snapshots: new Map(sessions.map(({ contact, snapshot }) => [contact, snapshot])),
    outgoing,
    held: selectAll(database, HELD, "contact, number"),
    openBundles: selectAll(database, OPEN_BUNDLES, "tag"),
    devices: loadDevices(database),
    settings: new Map(settings.map(({ key, value }) => [key, value])),
    nextContact: 1 + (lastContact(database) ?? 0),
    nextOutgoing: 1 + (outgoing.at(-1)?.seq ?? 0),
    nextEvent: 1 + lastEvent(database),
  }
}

export function loadSetting(database: Database, key: SettingKey): Uint8Array | undefined {
  return database.select((row) => row.bytes(0), "SELECT value FROM settings WHERE key = ?", key)[0]
}

function loadDevices(database: Database): Map<ContactId, Partial<DeviceState>> {
  const devices = new Map<ContactId, Partial<DeviceState>>()
  for (const part of Object.keys(DEVICE_TABLES) as (keyof DeviceState)[]) {
    for (const { contact, value } of selectPart(database, part)) {
      devices.set(contact, { ...devices.get(contact), [part]: value })
    }
  }
  return devices
}

function selectPart<Part extends keyof DeviceState>(
  database: Database,
  part: Part,
): { contact: ContactId; value: DeviceState[Part] }[] {
  return selectAll(database, DEVICE_TABLES[part], "contact")
}

/** Including forgotten ones. */
function lastContact(database: Database): number | undefined {
  return database.select((row) => row.number(0), "SELECT seq FROM sqlite_sequence WHERE name = 'contacts'")[0]
}
