import { fromHex, toHex } from "../crypto/bytes.ts"
import type { Database } from "./database.ts"
import type { ContactId, ConversationId, DeviceId } from "./ids.ts"
import type {
  ContactRecord,
  ConversationRecord,
  DeviceParts,
  DeviceRecord,
  OpenBundleRecord,
} from "./records.ts"
import { selectAll, selectWhere, type Table } from "./table.ts"
import { CONTACTS, CONVERSATIONS, DEVICES, DEVICE_TABLES, OPEN_BUNDLES, type DevicePart } from "./tables.ts"

/** What one table holds, read when it is needed: one row, or all by rising key. */
export type Rows<Key, Value> = {
  readonly get: (key: Key) => Value | undefined
  readonly all: () => Iterable<readonly [Key, Value]>
}

/** Of thousands of contacts few are needed at a time. */
export type StoredRows = {
  readonly contacts: Rows<ContactId, ContactRecord>
  readonly devices: Rows<DeviceId, DeviceRecord>
  readonly conversations: Rows<ConversationId, ConversationRecord>
  readonly deviceParts: Rows<DeviceId, Partial<DeviceParts>>
  /** By INIT tag in hex. */
  readonly bundles: Rows<string, OpenBundleRecord>
  readonly devicesOf: (contact: ContactId) => readonly DeviceId[]
  readonly directWith: (contact: ContactId) => ConversationId | undefined
  /** The INIT tags in hex of its recovery bundles. */
  readonly bundlesOf: (device: DeviceId) => readonly string[]
  /** Those where devices send to us, and those where they did, in hex. */
  readonly mailboxes: () => Iterable<readonly [string, DeviceId]>
}

export function storedRows(database: Database): StoredRows {
  const numbers = (sql: string, key: number): number[] => database.select((row) => row.number(0), sql, key)
  return {
    contacts: rowsById(database, CONTACTS),
    devices: rowsById(database, DEVICES),
    conversations: rowsById(database, CONVERSATIONS),
    deviceParts: { get: (device) => partsOf(database, device), all: () => allParts(database) },
    bundles: bundleRows(database),
    devicesOf: (contact) => numbers("SELECT id FROM devices WHERE contact = ? ORDER BY id", contact),
    directWith: (contact) =>
      numbers("SELECT id FROM conversations WHERE contact = ?", contact)[0] as ConversationId | undefined,
    bundlesOf: (device) =>
      database.select(
        (row) => toHex(row.bytes(0)),
        "SELECT tag FROM open_bundles WHERE device = ? ORDER BY tag",
        device,
      ),
    mailboxes: () => mailboxRows(database),
  }
}

function rowsById<Key extends number, Value extends { readonly id: Key }>(
  database: Database,
  table: Table<Value>,
): Rows<Key, Value> {
  return {
    get: (id) => selectWhere(database, table, { id })[0],
    all: () => selectAll(database, table, "id").map((record) => [record.id, record]),
  }
}

const PART_NAMES = Object.keys(DEVICE_TABLES) as readonly (keyof DeviceParts)[]

function partsOf(database: Database, device: DeviceId): Partial<DeviceParts> | undefined {
  const found = PART_NAMES.flatMap((part) =>
    selectWhere(database, partTable(part), { device }).map(({ value }) => [part, value] as const),
  )
  return found.length === 0 ? undefined : Object.fromEntries(found)
}

/** By rising id of the device. */
export function allParts(database: Database): Map<DeviceId, Partial<DeviceParts>> {
  const parts = new Map<DeviceId, Record<string, unknown>>()
  for (const part of PART_NAMES) {
    for (const { device, value } of selectAll(database, partTable(part), "device")) {
      const known = parts.get(device)
      if (known === undefined) parts.set(device, { [part]: value })
      else known[part] = value
    }
  }
  return new Map([...parts].sort(([a], [b]) => a - b))
}

function partTable<Part extends keyof DeviceParts>(part: Part): Table<DevicePart<Part>> {
  return DEVICE_TABLES[part]
}

function bundleRows(database: Database): Rows<string, OpenBundleRecord> {
  const sql = `SELECT ${OPEN_BUNDLES.columns.join(", ")} FROM open_bundles WHERE tag = ?`
  return {
    get: (tag) => database.select(OPEN_BUNDLES.read, sql, fromHex(tag))[0],
    all: () => selectAll(database, OPEN_BUNDLES, "tag").map((bundle) => [toHex(bundle.tag), bundle]),
  }
}

/** The present ones are read from their index alone. */
function mailboxRows(database: Database): (readonly [string, DeviceId])[] {
  const present = database.select(
    (row) => [toHex(row.bytes(0)), row.number(1)] as const,
    "SELECT mailbox, id FROM devices",
  )
  const { read, columns } = DEVICE_TABLES.mailboxRotation
  const sql = `SELECT ${columns.join(", ")} FROM mailbox_rotations WHERE length(old) > 0`
  const before = database
    .select(read, sql)
    .flatMap(({ device, value }) => value.old.map((mailbox) => [toHex(mailbox), device] as const))
  return [...present, ...before]
}
