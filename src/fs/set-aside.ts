import { lstatSync, renameSync } from "node:fs"
import { diskFault } from "./disk-fault.ts"

/**
 * Renames what is at the path, a file or a folder, to a name that says when. Nothing is deleted: it may still be needed.
 * The new path, or undefined if there was nothing. Fault `io`.
 */
export function setAside(path: string): string | undefined {
  const aside = `${path}.${Date.now()}.old`
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined
    renameSync(path, aside)
    return aside
  } catch (cause) {
    throw diskFault(cause, `move ${path}`)
  }
}
