import type { FileHandle } from "node:fs/promises"
import { dirname } from "node:path"
import { Fault } from "../../errors.ts"
import { diskFault } from "../../fs/disk-fault.ts"
import { syncFolder } from "../../fs/sync-folder.ts"
import { writeAll } from "../../fs/write-all.ts"
import { frameRecord, replay, type JournalFound } from "./journal-file.ts"
import { discardNewFile, replaceFile, writeNewFile, type JournalFile } from "./journal-rewrite.ts"
import type { JournalRecord } from "./journal-record.ts"

/** Settled records are dead weight: below this size they stay; above it the file is rewritten at twice its last size. */
const REWRITE_MIN_BYTES = 16 * 1024 * 1024

type Waiter = { readonly resolve: () => void; readonly reject: (fault: Fault) => void }

/** What the journal is a record of. */
export type JournalState = {
  readonly apply: (record: JournalRecord) => void
  /** The fewest records that lead to the present state. */
  readonly snapshot: () => Iterable<JournalRecord>
}

export type JournalStats = { readonly bytes: number; readonly rewrites: number }

/**
 * Replays the file at `path` into `state`, stopping where a crash tore it, rewrites it without what is
 * settled, and goes on appending. A missing file is an empty one.
 * @throws Fault `damaged-database` if the file is something else, `disk-full`, or `io`.
 */
export async function openJournal(path: string, state: JournalState): Promise<Journal> {
  try {
    const found = await replay(path, state.apply)
    const newFile = await writeNewFile(path, state.snapshot())
    await replaceFile(path)
    await syncFolder(dirname(path))
    return new Journal(path, state, { ...newFile, found })
  } catch (cause) {
    throw cause instanceof Fault ? cause : faultOf(cause)
  }
}

/** A shorter file that is being written aside; `tail` is what the present one has taken since. */
type Rewrite = {
  readonly tail: Buffer[]
  done: JournalFile | "failed" | undefined
  readonly ended: Promise<void>
}

/**
 * An append-only file with group commit: all that arrives during one fdatasync shares the next. While it is in use
 * it is rewritten to a second file when most of it is settled; only the change from one file to the other is waited for.
 */
export class Journal {
  readonly #path: string
  readonly #state: JournalState
  #file: FileHandle
  #length: number
  #rewriteAt: number
  #rewrite: Rewrite | undefined
  #rewrites = 0
  #pending: Buffer[] = []
  #unapplied: JournalRecord[] = []
  #waiters: Waiter[] = []
  #flushing: Promise<void> | undefined
  #broken: Fault | undefined

  /** What was there when it was opened. */
  readonly found: JournalFound

  constructor(path: string, state: JournalState, opened: JournalFile & { readonly found: JournalFound }) {
    const { file, length, found } = opened
    this.found = found
    this.#path = path
    this.#state = state
    this.#file = file
    this.#length = length
    this.#rewriteAt = nextRewrite(length)
  }

  stats(): JournalStats {
    return { bytes: this.#length, rewrites: this.#rewrites }
  }

  /** Applied now and written soon; not waited for, and losing it costs one duplicate at most. */
  append(record: JournalRecord): void {
    this.#state.apply(record)
    this.#pending.push(frameRecord(record))
    this.#startFlush()
  }

  /**
   * Resolves when the record and all before it are on the disk, and the record is applied: what a rewrite finds in
   * the state is never more than what the file holds. Rejects with a Fault, and then it is not there.
   */
  commit(record: JournalRecord): Promise<void> {
    this.#pending.push(frameRecord(record))
    this.#unapplied.push(record)
    this.#startFlush()
    return this.settled()
  }

  /** Resolves when all that was appended so far is on the disk. */
  settled(): Promise<void> {
    if (this.#flushing === undefined) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  async close(): Promise<void> {
    while (this.#rewrite !== undefined || this.#flushing !== undefined) {
      await this.#rewrite?.ended
      await this.#flushing
    }
    await this.#file.close()
  }

  #startFlush(): void {
    this.#flushing ??= this.#flush()
  }

  async #flush(): Promise<void> {
    // All packets of one socket read are handled in this turn: they share the first write.
    await Promise.resolve()
    for (;;) {
      if (this.#pending.length > 0 || this.#waiters.length > 0) await this.#writePending()
      else if (this.#rewrite?.done !== undefined) await this.#adoptRewrite(this.#rewrite.done)
      else break
    }
    this.#flushing = undefined
  }

  async #writePending(): Promise<void> {
    const batch = Buffer.concat(this.#pending)
    const [waiters, records] = [this.#waiters, this.#unapplied]
    this.#pending = []
    this.#waiters = []
    this.#unapplied = []
    const fault = await this.#write(batch, waiters.length > 0)
    if (fault === undefined) for (const record of records) this.#state.apply(record)
    for (const waiter of waiters) {
      if (fault === undefined) waiter.resolve()
      else waiter.reject(fault)
    }
    if (this.#length > this.#rewriteAt) this.#startRewrite()
    else if (this.#rewrite?.done !== undefined) await this.#adoptRewrite(this.#rewrite.done)
  }

  async #write(batch: Buffer, durable: boolean): Promise<Fault | undefined> {
    if (this.#broken !== undefined) return this.#broken
    try {
      await writeAll(this.#file, batch, this.#length)
    } catch (cause) {
      return this.#rollBack(faultOf(cause))
    }
    this.#length += batch.length
    this.#rewrite?.tail.push(batch)
    if (!durable) return undefined
    try {
      await this.#file.datasync()
      return undefined
    } catch (cause) {
      // After a failed fdatasync the content on disk is unknown: this file takes nothing more.
      return (this.#broken = faultOf(cause))
    }
  }

  /** Half a record in the middle would hide everything after it. */
  async #rollBack(fault: Fault): Promise<Fault> {
    try {
      await this.#file.truncate(this.#length)
      return fault
    } catch (cause) {
      return (this.#broken = faultOf(cause))
    }
  }

  #startRewrite(): void {
    this.#rewriteAt = Infinity
    // A list of the records as they are now: the state goes on changing while they are written.
    const writing = writeNewFile(this.#path, [...this.#state.snapshot()])
    const end = (done: JournalFile | "failed"): void => {
      rewrite.done = done
      this.#startFlush()
    }
    const rewrite: Rewrite = { tail: [], done: undefined, ended: writing.then(end, () => end("failed")) }
    this.#rewrite = rewrite
  }

  /** Between two writes: the new file holds all that the present one holds before it takes its name. */
  async #adoptRewrite(done: JournalFile | "failed"): Promise<void> {
    const tail = Buffer.concat(this.#rewrite?.tail ?? [])
    this.#rewrite = undefined
    if (done !== "failed") await this.#switchTo(done, tail)
    // A full disk leaves the present file in use, and its name with it.
    if (done === "failed" || done.file !== this.#file) await discardNewFile(this.#path)
    this.#rewriteAt = nextRewrite(this.#length)
  }

  async #switchTo({ file, length }: JournalFile, tail: Buffer): Promise<void> {
    try {
      if (this.#broken !== undefined) throw this.#broken
      await writeAll(file, tail, length)
      await file.datasync()
      await replaceFile(this.#path)
    } catch {
      return file.close()
    }
    await this.#file.close()
    this.#file = file
    this.#length = length + tail.length
    this.#rewrites += 1
    try {
      await syncFolder(dirname(this.#path))
    } catch (cause) {
      // A power cut could leave either file under the name.
      this.#broken = faultOf(cause)
    }
  }
}

function nextRewrite(length: number): number {
  return Math.max(REWRITE_MIN_BYTES, 2 * length)
}

function faultOf(cause: unknown): Fault {
  return diskFault(cause, "write the broker's journal")
}
