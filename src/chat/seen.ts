import { toHex } from "../crypto/bytes.ts"
import type { ContactId } from "../store/records.ts"
import type { Change } from "./decision.ts"

/**
 * Frames that carried no text leave no message behind to know them by when they come again (their receipt was
 * lost, or the broker delivered twice). So the last few are remembered by 8 bytes each.
 */
const SEEN_MAX = 64
const MARK_BYTES = 8

export function seenKey(contact: ContactId): string {
  return `seen/${contact}`
}

export function wasSeen(
  settings: ReadonlyMap<string, Uint8Array>,
  contact: ContactId,
  mark: Uint8Array,
): boolean {
  const marks = settings.get(seenKey(contact)) ?? new Uint8Array(0)
  const wanted = toHex(mark.subarray(0, MARK_BYTES))
  for (let at = 0; at < marks.length; at += MARK_BYTES) {
    if (toHex(marks.subarray(at, at + MARK_BYTES)) === wanted) return true
  }
  return false
}

/** Remembers one more, and forgets the oldest over `SEEN_MAX`. */
export function markSeen(
  settings: ReadonlyMap<string, Uint8Array>,
  contact: ContactId,
  mark: Uint8Array,
): Change {
  const marks = settings.get(seenKey(contact)) ?? new Uint8Array(0)
  const all = Buffer.concat([marks, mark.subarray(0, MARK_BYTES)])
  const kept = all.subarray(Math.max(0, all.length - SEEN_MAX * MARK_BYTES))
  return { write: "setting", key: seenKey(contact), value: new Uint8Array(kept) }
}
