import { concat } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { littleEndian } from "../wire/codec.ts"
import { StreamReader } from "../wire/stream-reader.ts"
import {
  decodeRecord,
  encodeRecord,
  RECORD_BYTES_MAX,
  type BackupProfile,
  type BackupRecord,
} from "./contents.ts"

const LENGTH_BYTES = 4
/** The engine keeps all contacts in memory, some 3 kB each. */
const CONTACTS_MAX = 100_000

/** The contents of a backup: each record after its length [B-2]. */
export async function* writeRecords(
  records: AsyncIterable<BackupRecord> | Iterable<BackupRecord>,
): AsyncGenerator<Uint8Array> {
  for await (const record of records) {
    const bytes = encodeRecord(record)
    yield concat(littleEndian(bytes.length, LENGTH_BYTES), bytes)
  }
}

/** A backup while it is read: its profile, and the rest, which must be read to its end to know that it is complete. */
export type ReadBackup = {
  readonly profile: BackupProfile
  readonly rest: AsyncIterable<Exclude<BackupRecord, { record: "profile" }>>
}

/**
 * Reads contents record by record; only one of them is in memory. Fault `bad-data` for anything not written by
 * `writeRecords`, or in another order [B-3].
 */
export async function readRecords(contents: AsyncIterable<Uint8Array>): Promise<ReadBackup> {
  const reader = new StreamReader(contents)
  const first = await nextRecord(reader)
  if (first?.record !== "profile") throw unknownContents()
  return { profile: first.profile, rest: readRest(reader) }
}

async function* readRest(reader: StreamReader): AsyncGenerator<Exclude<BackupRecord, { record: "profile" }>> {
  const contacts = new Set<number>()
  let last = 0
  let inMessages = false
  for (let read = await nextRecord(reader); read !== undefined; read = await nextRecord(reader)) {
    if (read.record === "profile") throw unknownContents()
    if (read.record === "message") {
      inMessages = true
      if (!contacts.has(read.message.contact)) throw unknownContents()
    } else {
      const { id } = read.contact
      if (inMessages || id <= last || contacts.size >= CONTACTS_MAX) throw unknownContents()
      last = id
      contacts.add(id)
    }
    yield read
  }
}

/** Undefined at the end. */
async function nextRecord(reader: StreamReader): Promise<BackupRecord | undefined> {
  if (await reader.isAtEnd()) return undefined
  const length = Buffer.from(await reader.read(LENGTH_BYTES))
  const bytes = length.length === LENGTH_BYTES ? length.readUInt32LE() : Infinity
  if (bytes > RECORD_BYTES_MAX) throw unknownContents()
  const body = await reader.read(bytes)
  const record = body.length === bytes ? decodeRecord(body) : undefined
  if (record === undefined) throw unknownContents()
  return record
}

function unknownContents(): Fault {
  const message =
    "this version of mqttchat does not support the contents of this backup; nothing was imported"
  return new Fault("bad-data", message, "install the version of mqttchat that wrote it, or a later one")
}
