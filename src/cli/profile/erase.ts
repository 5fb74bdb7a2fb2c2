import { randomFillSync } from "node:crypto"
import { closeSync, constants, fstatSync, fsyncSync, lstatSync, openSync, rmdirSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { codeOf } from "../../errors.ts"
import { diskFault } from "../../fs/disk-fault.ts"
import { syncFolderNow } from "../../fs/sync-folder.ts"
import { writeAllNow } from "../../fs/write-all.ts"

const CHUNK_BYTES = 65_536

/** Overwrites a file with random bytes and syncs it. What a link points at is not ours. Fault `io`. */
export function overwriteFile(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return
  try {
    const file = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW)
    try {
      fill(file, fstatSync(file).size)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    throw diskFault(cause, `overwrite ${path}`)
  }
}

/** Removes a file and syncs its folder. Fault `io`. */
export function removeFile(path: string): void {
  try {
    rmSync(path, { force: true })
    syncFolderNow(dirname(path))
  } catch (cause) {
    throw diskFault(cause, `remove ${path}`)
  }
}

/** Removes the folder if it is empty. */
export function removeEmptyFolder(path: string): void {
  try {
    rmdirSync(path)
  } catch (cause) {
    const code = codeOf(cause)
    if (code !== "ENOTEMPTY" && code !== "ENOENT") throw diskFault(cause, `remove ${path}`)
  }
}

function fill(file: number, size: number): void {
  const noise = new Uint8Array(CHUNK_BYTES)
  for (let at = 0; at < size; at += CHUNK_BYTES) {
    writeAllNow(file, randomFillSync(noise).subarray(0, size - at), at)
  }
}
