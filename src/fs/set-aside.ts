import { lstatSync, renameSync } from "node:fs"
import { dirname } from "node:path"
import { diskFault } from "./disk-fault.ts"
import { syncFolderNow } from "./sync-folder.ts"

/**
 * Renames what is at the path, a file or a folder, to a name that says when. Nothing is deleted: it may still be needed.
 * What takes its place comes only after that, also after a power cut. The new path, or undefined if there was nothing.
 * Fault `io`.
 */
export function setAside(path: string, aside = `${path}.${Date.now()}.old`): string | undefined {
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined
    renameSync(path, aside)
    syncFolderNow(dirname(path))
    return aside
  } catch (cause) {
    throw diskFault(cause, `move ${path}`)
  }
}
