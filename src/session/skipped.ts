import { equal } from "../crypto/bytes.ts"
import type { ChainKey } from "../crypto/bytes.ts"
import { DAY_S } from "../time-units.ts"
import { TAG_BYTES } from "../wire/sizes.ts"
import { messageKeyOf, nextChainKey, tagAt, windowFrom } from "./chain.ts"
import type { ReceivingChain, SkippedKey } from "./state.ts"

/** Keys of skipped messages that one session keeps: two full skips, 160 kB of its snapshot [S-33]. */
export const SKIPPED_MAX = 2048
/** A message that takes longer is considered lost. */
export const SKIPPED_MAX_SECONDS = 14 * DAY_S

/** The key kept for the message whose tag starts `wire`. */
export function skippedKeyOf(skipped: readonly SkippedKey[], wire: Uint8Array): SkippedKey | undefined {
  const [a, b, c, d] = wire
  for (const key of skipped) {
    const { tag } = key
    if (tag[0] !== a || tag[1] !== b || tag[2] !== c || tag[3] !== d) continue
    if (equal(tag, wire.subarray(0, TAG_BYTES))) return key
  }
  return undefined
}

/** Keys of a chain's messages from the next one up to but not including `n`, and the chain key of `n` itself. */
export function skipTo(
  chain: ReceivingChain,
  n: number,
  now: number,
): { keys: SkippedKey[]; chainKey: ChainKey } {
  const { headerKey } = chain
  const keys: SkippedKey[] = []
  let { chainKey, window } = chain
  for (let at = chain.received; at < n; at += 1) {
    window = windowFrom(headerKey, at, window)
    keys.push({ tag: tagAt(window, at), headerKey, messageKey: messageKeyOf(chainKey), storedAt: now })
    chainKey = nextChainKey(chainKey)
  }
  return { keys, chainKey }
}

/** The skipped keys with `added` after them, without expired ones and, above the bound, without the oldest [S-33]. */
export function remember(skipped: readonly SkippedKey[], added: readonly SkippedKey[], now: number) {
  const oldest = skipped[0]
  const stale = oldest !== undefined && isStale(oldest, now)
  if (!stale && added.length === 0) return skipped
  const kept = stale ? skipped.filter((key) => !isStale(key, now)) : skipped
  return [...kept, ...added].slice(-SKIPPED_MAX)
}

function isStale(key: SkippedKey, now: number): boolean {
  return key.storedAt + SKIPPED_MAX_SECONDS < now
}
