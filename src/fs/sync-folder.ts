import { closeSync, fsyncSync, openSync } from "node:fs"
import { open } from "node:fs/promises"

// A new name is on the disk once its folder is synced. Windows cannot open a folder, and does not need this.
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

/** The same for callers that cannot wait: SQLite, and code that ends the process. */
export function syncFolderNow(path: string): void {
  if (!NEEDS_SYNC) return
  const folder = openSync(path, "r")
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
