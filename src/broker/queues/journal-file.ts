import { type FileHandle, open } from "node:fs/promises"
import { crc32 } from "node:zlib"
import { codeOf, Fault } from "../../errors.ts"
import { decodeRecord, encodeRecord, isRecordKind, type JournalRecord } from "./journal-record.ts"
import { shellCommand } from "../../shell-command.ts"

export const MAGIC = Buffer.from("mqttchat broker journal 1\n")
/** Before each record: its length and its CRC-32, which finds what a crash left half written. */
const HEADER_BYTES = 8
/** A record holds one MQTT packet of at most 66,560 bytes and a little. */
const RECORD_MAX_BYTES = 128 * 1024
const READ_BYTES = 1024 * 1024
/** The next whole record begins at most one record after the one that is not. */
const LOOK_BYTES_MAX = 2 * RECORD_MAX_BYTES

/** A record as it stands in the file. */
export function frameRecord(record: JournalRecord): Buffer {
  const body = encodeRecord(record)
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt32LE(body.length, 0)
  header.writeUInt32LE(crc32(body), 4)
  return Buffer.concat([header, body])
}

/** What was found at the path of a journal. */
export type JournalFound =
  | { readonly kind: "missing" }
  | {
      readonly kind: "read"
      /** Of the whole records. */
      readonly bytes: number
      /** What follows them in the file. */
      readonly lost: number
      /** A whole record comes after what is lost: a crash tears only the end, so the disk or a hand changed it. */
      readonly isDamaged: boolean
    }

/**
 * Applies the records of the file at `path` in order, up to the first that is not whole. A missing file is an empty one.
 * @throws Fault `damaged-database` if the file is no journal.
 */
export async function replay(path: string, apply: (record: JournalRecord) => void): Promise<JournalFound> {
  const file = await openIfExists(path)
  if (file === undefined) return { kind: "missing" }
  try {
    return await scan(file, path, apply)
  } finally {
    await file.close()
  }
}

/**
 * The bytes of the journal at `path` up to the last whole record, while another process may be writing it; nothing for
 * a missing file. Faults as `replay`.
 */
export async function* wholeRecords(path: string): AsyncGenerator<Uint8Array> {
  const file = await openIfExists(path)
  if (file === undefined) return
  try {
    const { bytes } = await scan(file, path, () => undefined)
    for (let position = 0; position < bytes;) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, position)
      if (bytesRead === 0) return
      yield buffer.subarray(0, Math.min(bytesRead, bytes - position))
      position += bytesRead
    }
  } finally {
    await file.close()
  }
}

async function scan(
  file: FileHandle,
  path: string,
  apply: (record: JournalRecord) => void,
): Promise<Extract<JournalFound, { kind: "read" }>> {
  if (!(await hasMagic(file))) throw notAJournal(path)
  let left: Buffer = Buffer.alloc(0)
  let bytes = MAGIC.length
  for await (const chunk of chunksOf(file)) {
    const unread = Buffer.concat([left, chunk])
    const { length, isTorn } = applyRecords(unread, apply)
    bytes += length
    left = unread.subarray(length)
    if (isTorn) break
  }
  const { size } = await file.stat()
  return { kind: "read", bytes, lost: size - bytes, isDamaged: hasRecordAfter(left) }
}

async function hasMagic(file: FileHandle): Promise<boolean> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0)
  return bytesRead === MAGIC.length && buffer.equals(MAGIC)
}

/** How many bytes of whole records `bytes` begins with, and whether what follows can never become one. */
function applyRecords(
  bytes: Buffer,
  apply: (record: JournalRecord) => void,
): { readonly length: number; readonly isTorn: boolean } {
  let offset = 0
  for (;;) {
    const record = recordAt(bytes, offset)
    if (record === "torn" || record === "incomplete") return { length: offset, isTorn: record === "torn" }
    apply(record.record)
    offset = record.end
  }
}

type RecordAt = { readonly record: JournalRecord; readonly end: number }

function recordAt(bytes: Buffer, offset: number): RecordAt | "torn" | "incomplete" {
  if (bytes.length - offset < HEADER_BYTES) return "incomplete"
  const length = bytes.readUInt32LE(offset)
  if (length > RECORD_MAX_BYTES) return "torn"
  const end = offset + HEADER_BYTES + length
  if (end > bytes.length) return "incomplete"
  const body = bytes.subarray(offset + HEADER_BYTES, end)
  const record = crc32(body) === bytes.readUInt32LE(offset + 4) ? decodeRecord(body) : undefined
  return record === undefined ? "torn" : { record, end }
}

/** Looks for a whole record at each place behind the one that is not whole. */
function hasRecordAfter(bytes: Buffer): boolean {
  const end = Math.min(bytes.length - HEADER_BYTES, LOOK_BYTES_MAX)
  for (let offset = 1; offset < end; offset++) {
    if (isRecordKind(bytes[offset + HEADER_BYTES]) && typeof recordAt(bytes, offset) === "object") return true
  }
  return false
}

async function* chunksOf(file: FileHandle): AsyncGenerator<Buffer> {
  let position = MAGIC.length
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

async function openIfExists(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r")
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined
    throw cause
  }
}

function notAJournal(path: string): Fault {
  return new Fault(
    "damaged-database",
    `not a broker's journal: ${path}`,
    `move it away: ${shellCommand`mv ${path} ${`${path}.old`}`}`,
  )
}
