import { concat, toHex } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { littleEndian } from "../wire/codec.ts"
import { DEVICES_MAX } from "../wire/sizes.ts"
import { StreamReader } from "../wire/stream-reader.ts"
import {
  decodeRecord,
  encodeRecord,
  RECORD_BYTES_MAX,
  type BackupContact,
  type BackupDevice,
  type BackupLink,
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
  const order = new RecordOrder()
  for (let read = await nextRecord(reader); read !== undefined; read = await nextRecord(reader)) {
    if (read.record === "profile" || !order.allows(read)) throw unknownContents()
    yield read
  }
}

/** Our links; contacts by rising id, each followed by its links and its devices; then the messages and their changes, then known ids [B-3]. */
class RecordOrder {
  readonly #contacts = new Set<number>()
  readonly #keys = new Set<string>()
  #last = 0
  #devices = 0
  #branch = 0
  #links = 0
  #inMessages = false
  #inKnownIds = false

  allows(read: Exclude<BackupRecord, { record: "profile" }>): boolean {
    if (read.record === "known-id") {
      this.#inMessages = this.#inKnownIds = true
      return this.#contacts.has(read.known.contact)
    }
    if (read.record === "message" || read.record === "change") {
      this.#inMessages = true
      const { contact } = read.record === "message" ? read.message : read.change
      return !this.#inKnownIds && this.#contacts.has(contact)
    }
    if (this.#inMessages) return false
    switch (read.record) {
      case "contact":
        return this.#begins(read.contact)
      case "link":
        return this.#continues(read.link)
      case "device":
        return this.#belongs(read.device)
    }
  }

  #begins({ id }: BackupContact): boolean {
    if (id <= this.#last || this.#contacts.size >= CONTACTS_MAX) return false
    this.#contacts.add(id)
    this.#last = id
    this.#devices = 0
    this.#branch = 0
    this.#links = 0
    return true
  }

  /** The links of one branch without a gap, then those of the other. */
  #continues({ contact, branch, number }: BackupLink): boolean {
    if (branch === this.#branch + 1 && this.#links > 0) {
      this.#branch = branch
      this.#links = 0
    }
    const isNext = branch === this.#branch && number === this.#links++
    return contact === this.#last && this.#devices === 0 && isNext
  }

  #belongs({ contact, key }: BackupDevice): boolean {
    // Each branch of a fork has its own.
    const most = DEVICES_MAX * (this.#branch + 1)
    if (contact !== this.#last || ++this.#devices > most || this.#keys.has(toHex(key))) return false
    this.#keys.add(toHex(key))
    return true
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
