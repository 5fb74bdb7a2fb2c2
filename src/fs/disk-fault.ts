import { codeOf, Fault } from "../errors.ts"

const DISK_FULL = ["ENOSPC", "EDQUOT", "EFBIG"]

/** The disk, the user's share of it or the file system's largest file has no room left. */
export function isDiskFull(cause: unknown): boolean {
  return DISK_FULL.includes(String(codeOf(cause)))
}

/** What the operating system's refusal of a file operation means to the user; `doing` completes "cannot ...". */
export function diskFault(cause: unknown, doing: string): Fault {
  if (isDiskFull(cause)) return new Fault("disk-full", `cannot ${doing}: the disk is full`, "df -h", cause)
  return new Fault("io", `cannot ${doing}: ${codeOf(cause) ?? "unknown error"}`, undefined, cause)
}
