import { existsSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { diskFault } from "../../fs/disk-fault.ts"
import { syncFolderNow } from "../../fs/sync-folder.ts"
import type { ProfilePaths } from "../../paths.ts"

const NONCE = "[0-9a-f]{16}"

/** A broker that is being imported is written there, next to the broker's folder. */
export function unfinishedFolder({ broker }: ProfilePaths, nonce: string): string {
  return `${broker}.${nonce}.new`
}

/** A broker that is complete and takes the folder's name next. */
function nextFolder({ broker }: ProfilePaths): string {
  return `${broker}.next`
}

export function hasBroker({ broker }: ProfilePaths): boolean {
  return existsSync(broker) && readdirSync(broker).length > 0
}

/** The new broker takes the name of the folder; gives the new name of the one that was there, if there was one. */
export function takeFolder(paths: ProfilePaths, unfinished: string, now: number): string | undefined {
  try {
    rmSync(nextFolder(paths), { recursive: true, force: true })
    renameSync(unfinished, nextFolder(paths))
    // The old one makes way only for a new one that a power cut leaves.
    syncFolderNow(dirname(paths.broker))
    const old = hasBroker(paths) ? `${paths.broker}.${now}.old` : undefined
    if (old !== undefined) renameSync(paths.broker, old)
    completeImport(paths)
    return old
  } catch (cause) {
    throw diskFault(cause, `write ${paths.broker}`)
  }
}

/** Also for an import that was killed when the old broker had made way; and removes what one left that was killed before. */
export function completeImport(paths: ProfilePaths): void {
  const folder = dirname(paths.broker)
  const isUnfinished = new RegExp(`^${basename(unfinishedFolder(paths, NONCE))}$`)
  for (const name of readdirSync(folder))
    if (isUnfinished.test(name)) rmSync(join(folder, name), { recursive: true, force: true })
  if (!existsSync(nextFolder(paths)) || hasBroker(paths)) return
  // Windows renames no folder over another one.
  if (existsSync(paths.broker)) rmdirSync(paths.broker)
  renameSync(nextFolder(paths), paths.broker)
  syncFolderNow(folder)
}
