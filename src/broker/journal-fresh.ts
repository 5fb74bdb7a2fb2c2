import { type FileHandle, open, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"
import { writeAll } from "../fs/write-all.ts"
import { framed, MAGIC } from "./journal-file.ts"
import type { JournalRecord } from "./journal-record.ts"

/** Records are written in pieces of about this size. */
const PIECE_BYTES = 1024 * 1024

/** A journal file that is open for writing, and its length in bytes. */
export type Written = { readonly file: FileHandle; readonly length: number }

/** Where a new journal is written, beside the one in use. */
function freshOf(path: string): string {
  return `${path}.new`
}

/** A new journal (0600) beside `path` that holds `records` and is on the disk. Throws what the file system says. */
export async function writeFresh(path: string, records: Iterable<JournalRecord>): Promise<Written> {
  const file = await open(freshOf(path), "w", 0o600)
  try {
    let length = 0
    for (const piece of pieces(records)) length += await writeAll(file, piece, length)
    await file.datasync()
    return { file, length }
  } catch (cause) {
    await file.close()
    throw cause
  }
}

function* pieces(records: Iterable<JournalRecord>): Generator<Buffer> {
  let piece: Buffer[] = [MAGIC]
  let bytes = MAGIC.length
  for (const record of records) {
    const next = framed(record)
    piece.push(next)
    bytes += next.length
    if (bytes < PIECE_BYTES) continue
    yield Buffer.concat(piece)
    piece = []
    bytes = 0
  }
  yield Buffer.concat(piece)
}

/** The new journal takes the name of the one in use. */
export function takeName(path: string): Promise<void> {
  return rename(freshOf(path), path)
}

/** Makes that last. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Frees what a new journal that was not finished takes up. */
export async function discardFresh(path: string): Promise<void> {
  try {
    await rm(freshOf(path), { force: true })
  } catch {
    // It is written over the next time; nothing else depends on it.
  }
}
