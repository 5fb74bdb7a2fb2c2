import { toHex } from "../../crypto/bytes.ts"
import type { ContactId } from "../../store/records.ts"
import type { Change } from "../decision.ts"

/**
 * Frames that carried no text leave no message behind to know them by when they come again (their receipt was
 * lost, or the broker delivered twice). So the last few are remembered by 8 bytes each, in two lists: for those that are
 * `owed` a receipt it is sent again, a `passing` one only is none of a lost session.
 */
export type SeenAs = "owed" | "passing"

const SEEN_MAX = 64
const MARK_BYTES = 8

export function seenKey(contact: ContactId, as: SeenAs): string {
  return `seen-${as}/${contact}`
}

type Settings = ReadonlyMap<string, Uint8Array>

/** What a frame that came before was, by its message id. */
export function seenAs(settings: Settings, contact: ContactId, mid: Uint8Array): SeenAs | undefined {
  const wanted = toHex(mid.subarray(0, MARK_BYTES))
  return (["owed", "passing"] as const).find((as) => {
    const marks = settings.get(seenKey(contact, as)) ?? new Uint8Array(0)
    for (let at = 0; at < marks.length; at += MARK_BYTES) {
      if (toHex(marks.subarray(at, at + MARK_BYTES)) === wanted) return true
    }
    return false
  })
}

/** Remembers one more, and forgets the oldest over `SEEN_MAX`. */
export function markSeen(settings: Settings, contact: ContactId, as: SeenAs, mid: Uint8Array): Change {
  const key = seenKey(contact, as)
  const all = Buffer.concat([settings.get(key) ?? new Uint8Array(0), mid.subarray(0, MARK_BYTES)])
  const kept = all.subarray(Math.max(0, all.length - SEEN_MAX * MARK_BYTES))
  return { kind: "setting", key, value: new Uint8Array(kept) }
}
