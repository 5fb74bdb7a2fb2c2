import type { Database } from "./database.ts"
import { lastEvent } from "./event-log.ts"
import { INTRODUCTIONS } from "./introduction-record.ts"
import type { DeviceParts } from "./records.ts"
import type { SettingKey } from "./setting-key.ts"
import {
  ACCOUNT_LINKS,
  CONTACTS,
  CONVERSATIONS,
  DEVICES,
  DEVICE_TABLES,
  HELD,
  OPEN_BUNDLES,
  OUTGOING,
  OWN_ACCOUNT_LINKS,
  SESSIONS,
  SETTINGS,
} from "./tables.ts"
import { selectAll, selectWhere } from "./table.ts"
import type { LoadedState } from "./message-store.ts"
import type { ConversationId, DeviceId } from "./ids.ts"

/** Everything but the messages. */
export function loadState(database: Database): LoadedState {
  const outgoing = selectAll(database, OUTGOING, "seq")
  const settings = selectAll(database, SETTINGS, "key")
  return {
    contacts: selectAll(database, CONTACTS, "id"),
    devices: selectAll(database, DEVICES, "id"),
    conversations: selectAll(database, CONVERSATIONS, "id"),
    snapshotOf: (device) => selectWhere(database, SESSIONS, { device })[0]?.snapshot,
    outgoing,
    held: selectAll(database, HELD, "device, number"),
    openBundles: selectAll(database, OPEN_BUNDLES, "tag"),
    deviceParts: loadParts(database),
    linksOf: (contact) => selectWhere(database, ACCOUNT_LINKS, { contact }),
    ownLinks: selectAll(database, OWN_ACCOUNT_LINKS, "number").map(({ link }) => link),
    settings: new Map(settings.map(({ key, value }) => [key, value])),
    introductions: selectAll(database, INTRODUCTIONS, "id"),
    nextIntroduction: 1 + lastId(database, "introductions"),
    nextContact: 1 + lastId(database, "contacts"),
    nextDevice: 1 + lastId(database, "devices"),
    nextConversation: (1 + lastId(database, "conversations")) as ConversationId,
    nextOutgoing: 1 + (outgoing.at(-1)?.seq ?? 0),
    nextEvent: 1 + lastEvent(database),
  }
}

export function loadSetting(database: Database, key: SettingKey): Uint8Array | undefined {
  return database.select((row) => row.bytes(0), "SELECT value FROM settings WHERE key = ?", key)[0]
}

function loadParts(database: Database): Map<DeviceId, Partial<DeviceParts>> {
  const parts = new Map<DeviceId, Partial<DeviceParts>>()
  for (const part of Object.keys(DEVICE_TABLES) as (keyof DeviceParts)[]) {
    for (const { device, value } of selectPart(database, part)) {
      parts.set(device, { ...parts.get(device), [part]: value })
    }
  }
  return parts
}

function selectPart<Part extends keyof DeviceParts>(
  database: Database,
  part: Part,
): { device: DeviceId; value: DeviceParts[Part] }[] {
  return selectAll(database, DEVICE_TABLES[part], "device")
}

/** Including forgotten ones. */
function lastId(
  database: Database,
  table: "contacts" | "conversations" | "devices" | "introductions",
): number {
  const sql = "SELECT seq FROM sqlite_sequence WHERE name = ?"
  return database.select((row) => row.number(0), sql, table)[0] ?? 0
}
