import { lstatSync, mkdirSync } from "node:fs"
import { Fault } from "../errors.ts"
import { diskFault } from "./disk-fault.ts"
import { shellCommand } from "../shell-command.ts"

const OTHERS = 0o077

/**
 * Makes the folder (0700, parents too) unless it is there. Refuses one that is a link, another user's, or open to
 * others: Fault `config`.
 */
export function makePrivateFolder(path: string): void {
  makeFolder(path)
  requirePrivateFolder(path)
}

/** Makes the folder (0700, parents too) unless it is there. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw diskFault(cause, `make the folder ${path}`)
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
