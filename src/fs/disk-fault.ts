import { codeOf, Fault } from "../errors.ts"

const DISK_FULL = ["ENOSPC", "EDQUOT", "EFBIG"]

/** The disk or the user's quota is full, or the file has reached the largest size of the file system. */
export function isDiskFull(cause: unknown): boolean {
  return DISK_FULL.includes(String(codeOf(cause)))
}

/** The Fault for a failed file operation; `doing` completes "cannot ...". */
export function diskFault(cause: unknown, doing: string): Fault {
  if (isDiskFull(cause)) return new Fault("disk-full", `cannot ${doing}: the disk is full`, "df -h", cause)
  return new Fault("io", `cannot ${doing}: ${codeOf(cause) ?? "unknown error"}`, undefined, cause)
}
