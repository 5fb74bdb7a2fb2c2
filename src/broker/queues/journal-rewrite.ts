import { type FileHandle, open, rename, rm } from "node:fs/promises"
import { writeAll } from "../../fs/write-all.ts"
import { frameRecord, MAGIC } from "./journal-file.ts"
import type { JournalRecord } from "./journal-record.ts"

/** Records are written in pieces of about this size. */
const BATCH_BYTES = 1024 * 1024

/** A journal file that is open for writing, and its length in bytes. */
export type JournalFile = { readonly file: FileHandle; readonly length: number }

/** Where a new journal is written, next to the one in use. */
function newPathOf(path: string): string {
  return `${path}.new`
}

/** A new journal (0600) next to `path` that holds `records` and is on the disk. Throws what the file system says. */
export async function writeNewFile(path: string, records: Iterable<JournalRecord>): Promise<JournalFile> {
  const file = await open(newPathOf(path), "w", 0o600)
  try {
    let length = 0
    for (const batch of batches(records)) length += await writeAll(file, batch, length)
    await file.datasync()
    return { file, length }
  } catch (cause) {
    await file.close()
    throw cause
  }
}

function* batches(records: Iterable<JournalRecord>): Generator<Buffer> {
  let batch: Buffer[] = [MAGIC]
  let bytes = MAGIC.length
  for (const record of records) {
    const next = frameRecord(record)
    batch.push(next)
    bytes += next.length
    if (bytes < BATCH_BYTES) continue
    yield Buffer.concat(batch)
    batch = []
    bytes = 0
  }
  yield Buffer.concat(batch)
}

/** The new journal takes the name of the one in use; that lasts when its folder is on the disk. */
export function replaceFile(path: string): Promise<void> {
  return rename(newPathOf(path), path)
}

/** Frees what a new journal that was not finished takes up. */
export async function discardNewFile(path: string): Promise<void> {
  try {
    await rm(newPathOf(path), { force: true })
  } catch {
    // It is written over the next time; nothing else depends on it.
  }
}
