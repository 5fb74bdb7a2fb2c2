import { closeSync, fsyncSync, openSync } from "node:fs"
import { open } from "node:fs/promises"

// A name is on the disk when its folder is. Windows cannot open a folder, and needs none of this.
const NEEDS_SYNC = process.platform !== "win32"

/** Resolves when the names in the folder are on the disk. Rejects as the file system does. */
export async function syncFolder(path: string): Promise<void> {
  if (!NEEDS_SYNC) return
  const folder = await open(path, "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** The same for callers that cannot wait: SQLite, and what ends a process. */
export function syncFolderNow(path: string): void {
  if (!NEEDS_SYNC) return
  const folder = openSync(path, "r")
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
