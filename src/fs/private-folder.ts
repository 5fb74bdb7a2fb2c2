import { lstatSync, mkdirSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { codeOf, Fault } from "../errors.ts"
import { diskFault } from "./disk-fault.ts"
import { syncFolderNow } from "./sync-folder.ts"
import { shellCommand } from "../shell-command.ts"

const OTHERS = 0o077
const NOT_WRITABLE = new Set<string | number | undefined>(["EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR"])

/**
 * Makes the folder (0700, parents too) unless it is there. Refuses one that is a link, another user's, or open to
 * others: Fault `config`.
 */
export function makePrivateFolder(path: string): void {
  try {
    makeFolder(path)
  } catch (cause) {
    throw cause instanceof Fault ? withHomeHint(cause) : cause
  }
  requirePrivateFolder(path)
}

/** Says what helps where this user may not write, as in a home that is read-only or not there. */
export function withHomeHint(fault: Fault): Fault {
  if (!NOT_WRITABLE.has(codeOf(fault.cause))) return fault
  const hint =
    "set MQTTCHAT_HOME to a folder that you may write to, as in: export MQTTCHAT_HOME=/data/mqttchat"
  return new Fault(fault.code, fault.message, hint, fault.cause)
}

/** Makes the folder (0700, parents too) unless it is there. Its name is on the disk before anything is put into it. */
export function makeFolder(path: string): void {
  try {
    const topmost = mkdirSync(path, { recursive: true, mode: 0o700 })
    if (topmost !== undefined) syncParents(resolve(path), resolve(topmost))
  } catch (cause) {
    throw diskFault(cause, `make the folder ${path}`)
  }
}

/** Syncs the folder that each new one is in, from the lowest to the one that was there before. */
function syncParents(lowest: string, topmost: string): void {
  for (let made = lowest; ; made = dirname(made)) {
    syncFolderNow(dirname(made))
    if (made === topmost || dirname(made) === made) return
  }
}

/** Refuses a folder that is a link, another user's, or open to others: Fault `config`. */
export function requirePrivateFolder(path: string): void {
  if (isPrivateFolder(path)) return
  throw new Fault(
    "config",
    `the folder ${path} is open to other users or belongs to one`,
    shellCommand`chmod 700 ${path}`,
  )
}

/** True for a folder of this user that no one else may enter. */
export function isPrivateFolder(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined || !found.isDirectory()) return false
  if (process.getuid === undefined) return true
  return found.uid === process.getuid() && (found.mode & OTHERS) === 0
}
