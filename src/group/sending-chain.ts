import {
  wipe,
  type ChainKey,
  type HeaderKey,
  type Random,
  type SigningKey,
  type VerifyKey,
} from "../crypto/bytes.ts"
import { signKeyPair } from "../crypto/nacl.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import { blockOf, messageKeyOf, nextChainKey, tagBlock, tagIn } from "../session/chain.ts"
import { messageId } from "../session/message.ts"
import type { Frame } from "../wire/frame.ts"
import type { PublicIdentity } from "../wire/identity.ts"
import { sealGroupMessage } from "./group-message.ts"
import { chainContext, GROUP_CHAIN_MAX, type EpochName, type SenderKey } from "./sender-key.ts"

/** What one device speaks with in one epoch. Never changed in place [G-20]. */
export type SendingChain = {
  readonly epoch: EpochName
  /** The NUMBER of message `n`. */
  readonly firstNumber: number
  /** Messages sealed on this chain. */
  readonly n: number
  readonly chainKey: ChainKey
  readonly headerKey: HeaderKey
  readonly signingKey: SigningKey
  readonly verifyKey: VerifyKey
}

export type GroupSealed =
  /** `wire` is a bucket long, `mid` 16 bytes. Commit `next` before `wire` leaves. */
  | {
      readonly kind: "sealed"
      readonly wire: Uint8Array
      readonly mid: Uint8Array
      readonly next: SendingChain
    }
  | { readonly kind: "refused"; readonly why: "chain-full" | "too-long" }

/** New random keys for an epoch; its first message has this NUMBER. */
export function startSendingChain(epoch: EpochName, firstNumber: number, random: Random): SendingChain {
  const chainKey = random(KEY_BYTES) as ChainKey
  const headerKey = random(KEY_BYTES) as HeaderKey
  const { secretKey, publicKey } = signKeyPair(random)
  return { epoch, firstNumber, n: 0, chainKey, headerKey, signingKey: secretKey, verifyKey: publicKey }
}

/** For a device that is to read from here on, not what was said before [G-20]. */
export function senderKeyOf(chain: SendingChain): SenderKey {
  const { epoch, firstNumber, n, chainKey, headerKey, verifyKey } = chain
  return { epoch, firstNumber, n, chainKey, headerKey, verifyKey }
}

/** Seals `frames`, the first of which is not SIG, as the device `own`. The given chain is unchanged [G-22]. */
export function sealInGroup(chain: SendingChain, frames: readonly Frame[], own: PublicIdentity): GroupSealed {
  const { n } = chain
  if (n >= GROUP_CHAIN_MAX) return { kind: "refused", why: "chain-full" }
  const context = chainContext(chain, own)
  const messageKey = messageKeyOf(chain.chainKey)
  const place = { n, tag: tagIn(tagBlock(context.headerKey, blockOf(n)), n) }
  const wire = sealGroupMessage(frames, { ...context, messageKey }, place, chain.signingKey)
  wipe(messageKey)
  if (wire === undefined) return { kind: "refused", why: "too-long" }
  return { kind: "sealed", wire, mid: messageId(wire), next: afterSending(chain) }
}

function afterSending({ n, firstNumber, chainKey, ...chain }: SendingChain): SendingChain {
  return { ...chain, n: n + 1, firstNumber: firstNumber + 1, chainKey: nextChainKey(chainKey) }
}
