import { type FileHandle, open, rename } from "node:fs/promises"
import { dirname } from "node:path"
import { diskFault, Fault } from "../errors.ts"
import { framed, MAGIC, replay } from "./journal-file.ts"
import type { JournalRecord } from "./journal-record.ts"

/** The snapshot is written in pieces of about this size. */
const PIECE_BYTES = 1024 * 1024

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

async function writeSnapshot(file: FileHandle, records: Iterable<JournalRecord>): Promise<number> {
  let length = 0
  let batch: Buffer[] = [MAGIC]
  let batchBytes = MAGIC.length
  for (const record of records) {
    const bytes = framed(record)
    batch.push(bytes)
    batchBytes += bytes.length
    if (batchBytes >= PIECE_BYTES) {
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

/** Makes the rename itself last. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function faultOf(cause: unknown): Fault {
  return diskFault(cause, "write the broker's journal")
}
