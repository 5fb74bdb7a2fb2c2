import { closeSync, constants, fchmodSync, fstatSync, openSync } from "node:fs"
import { Fault } from "../errors.ts"
import { diskFault } from "./disk-fault.ts"

const PRIVATE = 0o600
const PERMISSIONS = 0o777

/**
 * Opens a file of this user for appending, 0600, and makes it if it is missing. Faults `config` for a symbolic link,
 * another user's file, one with a second hard link and what is not a file; `io` and `disk-full`.
 */
export function openPrivateAppend(path: string): number {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants
  let fd: number | undefined
  try {
    // Without O_NONBLOCK, opening a pipe would wait for a reader.
    fd = openSync(path, O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_WRONLY, PRIVATE)
    requireOwnFile(fd, path)
    return fd
  } catch (cause) {
    if (fd !== undefined) closeSync(fd)
    throw refusal(cause, path)
  }
}

function requireOwnFile(fd: number, path: string): void {
  const found = fstatSync(fd)
  const isOurs = process.getuid === undefined || found.uid === process.getuid()
  if (!found.isFile() || !isOurs || found.nlink > 1) throw notPlain(path)
  if ((found.mode & PERMISSIONS) !== PRIVATE) fchmodSync(fd, PRIVATE)
}

/** Errors of open(2) for a link (ELOOP), a pipe without a reader or a socket (ENXIO), and a folder. */
const NOT_FILES = new Set(["ELOOP", "EMLINK", "ENXIO", "EISDIR"])

function refusal(cause: unknown, path: string): Fault {
  if (cause instanceof Fault) return cause
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  return NOT_FILES.has(code) ? notPlain(path) : diskFault(cause, `write ${path}`)
}

function notPlain(path: string): Fault {
  return new Fault("config", `${path} is a link, or not a file of this user alone`, "name another file")
}
