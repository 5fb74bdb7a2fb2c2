import { type FileHandle, open } from "node:fs/promises"
import { crc32 } from "node:zlib"
import { codeOf, Fault } from "../../errors.ts"
import { decodeRecord, encodeRecord, type JournalRecord } from "./journal-record.ts"
import { shellCommand } from "../../shell-command.ts"

export const MAGIC = Buffer.from("mqttchat broker journal 1\n")
/** Before each record: its length and its CRC-32, which finds what a crash left half written. */
const HEADER_BYTES = 8
/** A record holds one MQTT packet of at most 66,560 bytes and a little. */
const RECORD_MAX_BYTES = 128 * 1024
const READ_BYTES = 1024 * 1024

/** A record as it stands in the file. */
export function frameRecord(record: JournalRecord): Buffer {
  const body = encodeRecord(record)
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt32LE(body.length, 0)
  header.writeUInt32LE(crc32(body), 4)
  return Buffer.concat([header, body])
}

/**
 * Applies the records of the file at `path` in order, up to the first that a crash left half written. A missing
 * file is an empty one.
 * @throws Fault `damaged-database` if the file is no journal.
 */
export async function replay(path: string, apply: (record: JournalRecord) => void): Promise<void> {
  const file = await openIfExists(path)
  if (file === undefined) return
  try {
    if (!(await hasMagic(file))) throw notAJournal(path)
    let left: Buffer = Buffer.alloc(0)
    for await (const chunk of chunksOf(file)) {
      const bytes = Buffer.concat([left, chunk])
      const read = applyRecords(bytes, apply)
      if (read === undefined) return
      left = bytes.subarray(read)
    }
  } finally {
    await file.close()
  }
}

async function hasMagic(file: FileHandle): Promise<boolean> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0)
  return bytesRead === MAGIC.length && buffer.equals(MAGIC)
}

/** The bytes of the whole records at the start of `bytes`, or undefined after meeting a torn one. */
function applyRecords(bytes: Buffer, apply: (record: JournalRecord) => void): number | undefined {
  let offset = 0
  while (bytes.length - offset >= HEADER_BYTES) {
    const length = bytes.readUInt32LE(offset)
    if (length > RECORD_MAX_BYTES) return undefined
    const end = offset + HEADER_BYTES + length
    if (end > bytes.length) break
    const body = bytes.subarray(offset + HEADER_BYTES, end)
    const record = crc32(body) === bytes.readUInt32LE(offset + 4) ? decodeRecord(body) : undefined
    if (record === undefined) return undefined
    apply(record)
    offset = end
  }
  return offset
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
