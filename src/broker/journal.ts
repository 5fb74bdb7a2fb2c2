import { type FileHandle, open, rename } from "node:fs/promises"
import { dirname } from "node:path"
import { crc32 } from "node:zlib"
import { diskFault, Fault } from "../errors.ts"
import { decodeRecord, encodeRecord, type JournalRecord } from "./journal-record.ts"

const MAGIC = Buffer.from("mqttchat broker journal 1\n")
/** Before each record: its length and its CRC-32, which finds what a crash left half written. */
const HEADER_BYTES = 8
/** A record holds one MQTT packet of at most 66,560 bytes and a little. */
const RECORD_MAX_BYTES = 128 * 1024
const READ_BYTES = 1024 * 1024

type Waiter = { readonly resolve: () => void; readonly reject: (fault: Fault) => void }

/** What the journal is a record of. */
export type Remembered = {
  readonly apply: (record: JournalRecord) => void
  /** The fewest records that lead to the present state. */
  readonly snapshot: () => Iterable<JournalRecord>
}

/**
 * Replays the file at `path` into `state`, stopping where a crash tore it, writes it anew without what is
 * settled, and goes on appending. A missing file is an empty one.
 * @throws Fault `damaged-database` if the file is something else, `disk-full`, or `io`.
 */
export async function openJournal(path: string, state: Remembered): Promise<Journal> {
  try {
    await replay(path, state.apply)
    const fresh = `${path}.new`
    const file = await open(fresh, "w", 0o600)
    const length = await writeSnapshot(file, state.snapshot())
    await rename(fresh, path)
    await syncFolder(dirname(path))
    return new Journal(file, length)
  } catch (cause) {
    throw cause instanceof Fault ? cause : faultOf(cause)
  }
}

/** An append-only file with group commit: all that arrives during one fdatasync shares the next. */
export class Journal {
  readonly #file: FileHandle
  #length: number
  #pending: Buffer[] = []
  #waiters: Waiter[] = []
  #flushing: Promise<void> | undefined
  #broken: Fault | undefined

  constructor(file: FileHandle, length: number) {
    this.#file = file
    this.#length = length
  }

  /** Goes to the file soon; nobody waits for it, and losing it costs a duplicate at most. */
  append(record: JournalRecord): void {
    this.#pending.push(framed(record))
    this.#flushing ??= this.#flush()
  }

  /** Resolves when the record and all before it are on the disk. Rejects with a Fault, and then it is not there. */
  commit(record: JournalRecord): Promise<void> {
    this.append(record)
    return this.settled()
  }

  /** Resolves when all that was appended so far is on the disk. */
  settled(): Promise<void> {
    if (this.#flushing === undefined) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  async close(): Promise<void> {
    await this.#flushing
    await this.#file.close()
  }

  async #flush(): Promise<void> {
    // All packets of one socket read are handled in this turn: they share the first write.
    await Promise.resolve()
    while (this.#pending.length > 0 || this.#waiters.length > 0) {
      const batch = Buffer.concat(this.#pending)
      const waiters = this.#waiters
      this.#pending = []
      this.#waiters = []
      const fault = await this.#write(batch, waiters.length > 0)
      for (const waiter of waiters) {
        if (fault === undefined) waiter.resolve()
        else waiter.reject(fault)
      }
    }
    this.#flushing = undefined
  }

  async #write(batch: Buffer, durable: boolean): Promise<Fault | undefined> {
    if (this.#broken !== undefined) return this.#broken
    try {
      await writeAll(this.#file, batch, this.#length)
    } catch (cause) {
      return this.#takeBack(faultOf(cause))
    }
    this.#length += batch.length
    if (!durable) return undefined
    try {
      await this.#file.datasync()
      return undefined
    } catch (cause) {
      // After a failed fdatasync nobody knows what is on the disk: this file takes nothing more.
      return (this.#broken = faultOf(cause))
    }
  }

  /** Half a record in the middle would hide everything after it. */
  async #takeBack(fault: Fault): Promise<Fault> {
    try {
      await this.#file.truncate(this.#length)
      return fault
    } catch (cause) {
      return (this.#broken = faultOf(cause))
    }
  }
}

function framed(record: JournalRecord): Buffer {
  const body = encodeRecord(record)
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt32LE(body.length, 0)
  header.writeUInt32LE(crc32(body), 4)
  return Buffer.concat([header, body])
}

async function replay(path: string, apply: (record: JournalRecord) => void): Promise<void> {
  const file = await openIfThere(path)
  if (file === undefined) return
  try {
    if (!(await beginsWell(file))) throw foreign(path)
    let left: Buffer = Buffer.alloc(0)
    for await (const chunk of chunksOf(file)) {
      const bytes = Buffer.concat([left, chunk])
      const read = applyWhole(bytes, apply)
      if (read === undefined) return
      left = bytes.subarray(read)
    }
  } finally {
    await file.close()
  }
}

async function beginsWell(file: FileHandle): Promise<boolean> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0)
  return bytesRead === MAGIC.length && buffer.equals(MAGIC)
}

/** The bytes of the whole records at the start of `bytes`, or undefined after meeting a torn one. */
function applyWhole(bytes: Buffer, apply: (record: JournalRecord) => void): number | undefined {
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

async function writeSnapshot(file: FileHandle, records: Iterable<JournalRecord>): Promise<number> {
  let length = 0
  let batch: Buffer[] = [MAGIC]
  let batchBytes = MAGIC.length
  for (const record of records) {
    const bytes = framed(record)
    batch.push(bytes)
    batchBytes += bytes.length
    if (batchBytes >= READ_BYTES) {
      length += await writeAll(file, Buffer.concat(batch), length)
      batch = []
      batchBytes = 0
    }
  }
  length += await writeAll(file, Buffer.concat(batch), length)
  await file.datasync()
  return length
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<number> {
  let written = 0
  while (written < bytes.length) {
    const result = await file.write(bytes, written, bytes.length - written, position + written)
    written += result.bytesWritten
  }
  return written
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r")
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined
    throw cause
  }
}

/** Makes the rename itself last. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function foreign(path: string): Fault {
  return new Fault(
    "damaged-database",
    `not a broker's journal: ${path}`,
    `move it away: mv ${path} ${path}.old`,
  )
}

function faultOf(cause: unknown): Fault {
  return diskFault(cause, "write the broker's journal")
}

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause ? String(cause.code) : undefined
}
