import type { Database } from "./database.ts"
import { lastEvent } from "./event-log.ts"
import { INTRODUCTIONS } from "./introduction-record.ts"
import { IS_ROTATING } from "./indexes.ts"
import type { OpenBundleRecord } from "./records.ts"
import { allParts, storedRows } from "./rows.ts"
import type { SettingKey } from "./setting-key.ts"
import {
  ACCOUNT_LINKS,
  CONTACTS,
  CONVERSATIONS,
  DEVICES,
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

/** Everything but the messages; what grows with the contacts is read when it is asked for. */
export function loadState(database: Database): LoadedState {
  const outgoing = selectAll(database, OUTGOING, "seq")
  const settings = selectAll(database, SETTINGS, "key")
  return {
    get contacts() {
      return selectAll(database, CONTACTS, "id")
    },
    get devices() {
      return selectAll(database, DEVICES, "id")
    },
    get conversations() {
      return selectAll(database, CONVERSATIONS, "id")
    },
    get openBundles() {
      return selectAll(database, OPEN_BUNDLES, "tag")
    },
    get deviceParts() {
      return allParts(database)
    },
    rows: storedRows(database),
    offers: bundlesWhere(database, "device IS NULL"),
    unfinished: devicesWhere(database, "SELECT device FROM shown_accounts WHERE until > 0"),
    waiting: {
      receipts: () => devicesWhere(database, "SELECT device FROM pending_receipts WHERE length(mids) > 0"),
      recoveries: () => devicesWhere(database, "SELECT id FROM devices WHERE state = 'recovering'"),
      rotations: () => devicesWhere(database, `SELECT device FROM mailbox_rotations WHERE ${IS_ROTATING}`),
      endOfBundles: (now) => bundlesWhere(database, "not_after < ?", now),
    },
    snapshotOf: (device) => selectWhere(database, SESSIONS, { device })[0]?.snapshot,
    outgoing,
    held: selectAll(database, HELD, "device, number"),
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

/** In the order of the index that finds them: another one would be that of all rows. */
function bundlesWhere(database: Database, where: string, ...values: readonly number[]): OpenBundleRecord[] {
  const sql = `SELECT ${OPEN_BUNDLES.columns.join(", ")} FROM open_bundles WHERE ${where}`
  return database.select(OPEN_BUNDLES.read, sql, ...values)
}

function devicesWhere(database: Database, sql: string): DeviceId[] {
  return database.select((row) => row.number(0), `${sql} ORDER BY 1`)
}

export function loadSetting(database: Database, key: SettingKey): Uint8Array | undefined {
  return database.select((row) => row.bytes(0), "SELECT value FROM settings WHERE key = ?", key)[0]
}

/** Including forgotten ones. */
function lastId(
  database: Database,
  table: "contacts" | "conversations" | "devices" | "introductions",
): number {
  const sql = "SELECT seq FROM sqlite_sequence WHERE name = ?"
  return database.select((row) => row.number(0), sql, table)[0] ?? 0
}
