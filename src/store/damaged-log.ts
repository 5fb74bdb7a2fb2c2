import { basename, dirname } from "node:path"
import { equal, toHex, utf8 } from "../crypto/bytes.ts"
import { diskFault } from "../fs/disk-fault.ts"
import type { Database } from "./database.ts"
import type { FileSystem } from "./files.ts"
import { HEADER_BYTES, scanLog } from "./log-scan.ts"
import type { SettingKey } from "./setting-key.ts"
import { SETTINGS } from "./tables.ts"
import { put } from "./table.ts"

/** Where the name of the copy is kept until the engine has told it. */
const DAMAGED_LOG: SettingKey = "damaged-log"

/** Between the name of a log and what tells its copies apart. */
export const COPY_MARK = ".damaged-"

/** The part of the header that differs in each log. */
const SALTS = [16, 24] as const

/**
 * Looks at the log that a process left which did not close the store; call it before SQLite does. Remains of a commit that
 * was never acknowledged are cut off. Of a damaged log a copy is kept, and its path returned. Faults `disk-full`, `io`.
 */
export function inspectLog(path: string, files: FileSystem): string | undefined {
  const log = `${path}-wal`
  if (!files.exists(log)) return undefined
  try {
    const bytes = readWhole(log, files)
    const scan = scanLog(bytes)
    if (scan.kind === "torn") cut(log, scan.end, files)
    return scan.kind === "damaged" ? keepCopy(log, bytes, files) : undefined
  } catch (cause) {
    throw diskFault(cause, `read ${log}`, log)
  }
}

/** Notes in the store that a log was damaged, and takes the damaged one out of use. */
export function noteDamage(database: Database, copy: string): void {
  put(database, SETTINGS, { key: DAMAGED_LOG, value: utf8(basename(copy)) })
  // What lies behind the damage would look like a damaged log again.
  database.run("PRAGMA wal_checkpoint(TRUNCATE)")
}

function readWhole(path: string, files: FileSystem): Uint8Array {
  return withFile(path, files, (file) => readFrom(file, files.size(file), files))
}

function readFrom(file: number, length: number, files: FileSystem): Uint8Array {
  const bytes = new Uint8Array(length)
  return bytes.subarray(0, files.read(file, bytes, 0))
}

function cut(path: string, end: number, files: FileSystem): void {
  withFile(path, files, (file) => {
    files.truncate(file, end)
    files.sync(file)
  })
}

/** The first of each log, which may have been used since. The header is written last: a copy that has it is whole. */
function keepCopy(log: string, bytes: Uint8Array, files: FileSystem): string {
  const copy = `${log}${COPY_MARK}${toHex(bytes.subarray(...SALTS))}`
  const header = bytes.subarray(0, HEADER_BYTES)
  withFile(copy, files, (file) => {
    if (equal(readFrom(file, HEADER_BYTES, files), header)) return
    files.write(file, bytes.subarray(HEADER_BYTES), HEADER_BYTES)
    files.sync(file)
    files.write(file, header, 0)
    files.sync(file)
  })
  files.syncFolder(dirname(log))
  return copy
}

function withFile<T>(path: string, files: FileSystem, use: (file: number) => T): T {
  const file = files.open(path, true)
  try {
    return use(file)
  } finally {
    files.close(file)
  }
}
