import { codeOf, Fault } from "../errors.ts"
import { shellCommand } from "../shell-command.ts"

const DISK_FULL = ["ENOSPC", "EDQUOT", "EFBIG"]

type Meaning = { readonly why: string; readonly hint: (path: string) => string }

const IS_FOLDER: Meaning = {
  why: "it is a folder",
  hint: (path) => shellCommand`mv ${path} ${`${path}.old`}`,
}

/** What the commonest codes of open(2) mean, and what helps. The second is that of Node's `rm`. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  EISDIR: IS_FOLDER,
  ERR_FS_EISDIR: IS_FOLDER,
  EACCES: { why: "permission denied", hint: (path) => shellCommand`chmod u+rw ${path}` },
}

/** The disk or the user's quota is full, or the file has reached the largest size of the file system. */
export function isDiskFull(cause: unknown): boolean {
  return DISK_FULL.includes(String(codeOf(cause)))
}

/**
 * The Fault for a failed file operation; `doing` completes "cannot ...". With the path of the file it says what helps,
 * where that is known.
 */
export function diskFault(cause: unknown, doing: string, path?: string): Fault {
  if (isDiskFull(cause)) return new Fault("disk-full", `cannot ${doing}: the disk is full`, "df -h", cause)
  const code = String(codeOf(cause) ?? "unknown error")
  const meaning = MEANINGS[code]
  if (meaning === undefined) return new Fault("io", `cannot ${doing}: ${code}`, undefined, cause)
  const at = path && pathOf(cause, path)
  return new Fault("io", `cannot ${doing}: ${code} (${meaning.why})`, at && meaning.hint(at), cause)
}

/** Node names the file that it could not open, which may be another one than the caller speaks of. */
function pathOf(cause: unknown, path: string): string {
  const isOpen = cause instanceof Error && "syscall" in cause && cause.syscall === "open"
  return isOpen && "path" in cause && typeof cause.path === "string" ? cause.path : path
}
