import { concat } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { littleEndian } from "../wire/codec.ts"
import { Intake } from "../wire/intake.ts"
import {
  decodeRecord,
  encodeRecord,
  RECORD_BYTES_MAX,
  type BackedProfile,
  type BackupRecord,
} from "./contents.ts"

const LENGTH_BYTES = 4
/** The engine keeps all contacts in memory, some 3 kB each. */
const CONTACTS_MAX = 100_000

/** The contents of a backup: each record behind its length [B-2]. */
export async function* writeRecords(
  records: AsyncIterable<BackupRecord> | Iterable<BackupRecord>,
): AsyncGenerator<Uint8Array> {
  for await (const record of records) {
    const bytes = encodeRecord(record)
    yield concat(littleEndian(bytes.length, LENGTH_BYTES), bytes)
  }
}

/** A backup as it is read: who it is of, and the rest, which has to be taken to its end to know that it is whole. */
export type ReadBackup = {
  readonly profile: BackedProfile
  readonly rest: AsyncIterable<Exclude<BackupRecord, { record: "profile" }>>
}

/**
 * Reads contents record by record; no more than one of them is in memory. Fault `bad-data` for what was not written by
 * `writeRecords`, or in another order [B-3].
 */
export async function readRecords(contents: AsyncIterable<Uint8Array>): Promise<ReadBackup> {
  const intake = new Intake(contents)
  const first = await nextRecord(intake)
  if (first?.record !== "profile") throw foreign()
  return { profile: first.profile, rest: readRest(intake) }
}

async function* readRest(intake: Intake): AsyncGenerator<Exclude<BackupRecord, { record: "profile" }>> {
  const contacts = new Set<number>()
  let last = 0
  let talking = false
  for (let read = await nextRecord(intake); read !== undefined; read = await nextRecord(intake)) {
    if (read.record === "profile") throw foreign()
    if (read.record === "message") {
      talking = true
      if (!contacts.has(read.message.contact)) throw foreign()
    } else {
      const { id } = read.contact
      if (talking || id <= last || contacts.size >= CONTACTS_MAX) throw foreign()
      last = id
      contacts.add(id)
    }
    yield read
  }
}

/** Undefined at the end. */
async function nextRecord(intake: Intake): Promise<BackupRecord | undefined> {
  if (await intake.isOver()) return undefined
  const length = Buffer.from(await intake.take(LENGTH_BYTES))
  const bytes = length.length === LENGTH_BYTES ? length.readUInt32LE() : Infinity
  if (bytes > RECORD_BYTES_MAX) throw foreign()
  const body = await intake.take(bytes)
  const record = body.length === bytes ? decodeRecord(body) : undefined
  if (record === undefined) throw foreign()
  return record
}

function foreign(): Fault {
  const message = "the backup holds what this version of mqttchat does not know; nothing was imported"
  return new Fault("bad-data", message, "npm install -g mqttchat")
}
