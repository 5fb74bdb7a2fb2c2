import { equal, wipe, type ChainKey, type MessageKey, type VerifyKey } from "../crypto/bytes.ts"
import { BLOCK_TAGS, blockOf, messageKeyOf, nextChainKey, tagBlock, tagIn } from "../session/chain.ts"
import { isBucket, messageId } from "../session/message.ts"
import type { Frame } from "../wire/frame.ts"
import { TAG_BYTES } from "../wire/sizes.ts"
import type { PublicIdentity } from "../wire/identity.ts"
import { openGroupMessage } from "./group-message.ts"
import { chainContext, GROUP_CHAIN_MAX, type ChainContext, type SenderKey } from "./sender-key.ts"

/** What opens one device's messages of one epoch. Never changed in place [G-25]. */
export type ReceivingChain = ChainContext & {
  readonly verifyKey: VerifyKey
  /** The lowest number that was neither opened nor skipped, and its chain key. */
  readonly n: number
  readonly chainKey: ChainKey
  /** Keys of messages that later ones skipped. */
  readonly skipped: readonly SkippedMessage[]
}
export type SkippedMessage = { readonly n: number; readonly messageKey: MessageKey }

export type GroupOpened =
  | {
      readonly kind: "opened"
      readonly frames: readonly Frame[]
      readonly mid: Uint8Array
      readonly next: ReceivingChain
    }
  /** `replayed` was opened before, or is older than the key; `forged` does not belong to its place. */
  | { readonly kind: "refused"; readonly why: "malformed" | "replayed" | "forged" }

/** From what the device `sender` gave. */
export function startReceivingChain(key: SenderKey, sender: PublicIdentity): ReceivingChain {
  const { verifyKey, n, chainKey } = key
  return { ...chainContext(key, sender), verifyKey, n, chainKey, skipped: [] }
}

/** Every tag that may come, with its number: those from `n` on and those of skipped messages [G-25]. */
export function* expectedTags(chain: ReceivingChain): Generator<readonly [tag: Uint8Array, n: number]> {
  const skipped = new Set(chain.skipped.map(({ n }) => n))
  for (let from = 0; from < GROUP_CHAIN_MAX; from += BLOCK_TAGS) {
    const block = tagBlock(chain.headerKey, blockOf(from))
    for (let n = from; n < Math.min(from + BLOCK_TAGS, GROUP_CHAIN_MAX); n += 1) {
      if (n >= chain.n || skipped.has(n)) yield [tagIn(block, n), n]
    }
  }
}

/** Opens the message whose tag is that of number `n`. The given chain is unchanged. */
export function openInGroup(chain: ReceivingChain, wire: Uint8Array, n: number): GroupOpened {
  if (!isBucket(wire.length)) return { kind: "refused", why: "malformed" }
  const keys = keysUpTo(chain, n)
  if (keys === undefined) return { kind: "refused", why: "replayed" }
  const { messageKey, next } = keys
  const frames = isTagOf(chain, wire, n)
    ? openGroupMessage(wire, { ...chain, messageKey }, n, chain.verifyKey)
    : undefined
  wipe(messageKey)
  if (frames === undefined) return { kind: "refused", why: "forged" }
  return { kind: "opened", frames, mid: messageId(wire), next }
}

function isTagOf({ headerKey }: ReceivingChain, wire: Uint8Array, n: number): boolean {
  return equal(tagIn(tagBlock(headerKey, blockOf(n)), n), wire.subarray(0, TAG_BYTES))
}

/** A copy of the key of message `n`, and the chain without it. */
function keysUpTo(
  chain: ReceivingChain,
  n: number,
): { readonly messageKey: MessageKey; readonly next: ReceivingChain } | undefined {
  if (n >= GROUP_CHAIN_MAX) return undefined
  if (n >= chain.n) return skipTo(chain, n)
  const kept = chain.skipped.find((skipped) => skipped.n === n)
  if (kept === undefined) return undefined
  const skipped = chain.skipped.filter((other) => other !== kept)
  return { messageKey: kept.messageKey.slice() as MessageKey, next: { ...chain, skipped } }
}

function skipTo(chain: ReceivingChain, n: number) {
  let { chainKey } = chain
  const skipped: SkippedMessage[] = [...chain.skipped]
  for (let at = chain.n; at < n; at += 1) {
    skipped.push({ n: at, messageKey: messageKeyOf(chainKey) })
    chainKey = nextChainKey(chainKey)
  }
  const next = { ...chain, n: n + 1, chainKey: nextChainKey(chainKey), skipped }
  return { messageKey: messageKeyOf(chainKey), next }
}
