import { readdirSync, renameSync, rmSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { diskFault } from "../../fs/disk-fault.ts"
import { setAside } from "../../fs/set-aside.ts"
import { syncFolderNow } from "../../fs/sync-folder.ts"
import { COPY_MARK } from "../../store/damaged-log.ts"

/** The new paths of a store that was set aside: undefined for what was not there. */
type StoreAside = { readonly database: string | undefined; readonly log: string | undefined }

/**
 * Renames a store with its log, and a log without a store too: SQLite would take it for that of the next store under
 * this name. Fault `io`.
 */
export function setStoreAside(path: string): StoreAside {
  const aside = `${path}.${Date.now()}.old`
  return { database: setAside(path, aside), log: setAside(`${path}-wal`, `${aside}-wal`) }
}

/** A closed store takes its name, which is on the disk when this returns. Fault `io`. */
export function nameStore(fresh: string, path: string): void {
  try {
    renameSync(fresh, path)
    syncFolderNow(dirname(path))
  } catch (cause) {
    throw diskFault(cause, `write ${path}`, path)
  }
}

/** The copies of damaged logs next to a store: no command reads or deletes them, but `wipe`. */
export function damagedLogs(path: string): readonly string[] {
  const folder = dirname(path)
  const beginning = `${basename(path)}-wal${COPY_MARK}`
  const names = readdirSync(folder).filter((name) => name.startsWith(beginning))
  return names.map((name) => join(folder, name)).toSorted()
}

/** Removes a store that was never used. */
export function removeStore(path: string): void {
  for (const suffix of ["", "-wal"]) rmSync(path + suffix, { force: true, recursive: true })
}
