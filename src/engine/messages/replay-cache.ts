import { toHex } from "../../crypto/bytes.ts"
import type { ContactId } from "../../store/records.ts"
import type { Change } from "../state/decision.ts"

/**
 * Frames that carried no text leave no message behind to know them by when they come again (their receipt was
 * lost, or the broker delivered twice). So the last few are remembered by 8 bytes each, in two lists: for those that are
 * `owed` a receipt it is sent again, a `passing` one only is none of a lost session.
 */
export type ReplayKind = "owed" | "passing"

const REPLAY_MAX = 64
const ENTRY_BYTES = 8

export function replayKey(contact: ContactId, kind: ReplayKind): string {
  return `seen-${kind}/${contact}`
}

type Settings = ReadonlyMap<string, Uint8Array>

/** What a frame that came before was, by its message id. */
export function findReplay(settings: Settings, contact: ContactId, mid: Uint8Array): ReplayKind | undefined {
  const wanted = toHex(mid.subarray(0, ENTRY_BYTES))
  return (["owed", "passing"] as const).find((kind) => {
    const entries = settings.get(replayKey(contact, kind)) ?? new Uint8Array(0)
    for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
      if (toHex(entries.subarray(at, at + ENTRY_BYTES)) === wanted) return true
    }
    return false
  })
}

/** Remembers one more, and forgets the oldest over `SEEN_MAX`. */
export function rememberFrame(
  settings: Settings,
  contact: ContactId,
  kind: ReplayKind,
  mid: Uint8Array,
): Change {
  const key = replayKey(contact, kind)
  const all = Buffer.concat([settings.get(key) ?? new Uint8Array(0), mid.subarray(0, ENTRY_BYTES)])
  const kept = all.subarray(Math.max(0, all.length - REPLAY_MAX * ENTRY_BYTES))
  return { kind: "setting", key, value: new Uint8Array(kept) }
}
