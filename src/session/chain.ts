import { concat, equal, utf8, wipe } from "../crypto/bytes.ts"
import type { ChainKey, HeaderKey, MessageKey, RootKey, SharedSecret } from "../crypto/bytes.ts"
import { expand } from "../crypto/kdf.ts"
import { hmac, hmac32, seal } from "../crypto/nacl.ts"
import { BOX_OVERHEAD, KEY_BYTES } from "../crypto/sizes.ts"
import { Fault } from "../errors.ts"
import { littleEndian } from "../wire/codec.ts"
import { TAG_BYTES } from "../wire/sizes.ts"
import type { PqSecret, TagWindow } from "./state.ts"

/** Tags that one block of key stream yields. */
export const BLOCK_TAGS = 16

const MESSAGE_STEP = Uint8Array.of(1)
const CHAIN_STEP = Uint8Array.of(2)
const NO_SECRET = new Uint8Array(0)
const NOTHING = new Uint8Array(BLOCK_TAGS * TAG_BYTES)
const ROOT_LABEL = utf8("mqttchat/1 root")
const TAG_LABEL = utf8("mqc1-tag")
const NONCE_REST = new Uint8Array(12)

export type Root = { readonly root: RootKey; readonly chainKey: ChainKey; readonly nextHeaderKey: HeaderKey }

/** The root step (Double Ratchet sections 4.2 and 5.2) with the post-quantum secret, if there is one [S-21]. */
export function rootStep(root: RootKey, agreed: SharedSecret, mixed: PqSecret | undefined): Root {
  const info = concat(ROOT_LABEL, littleEndian(mixed?.id ?? 0, 2))
  const prk = hmac(root, agreed, mixed?.secret ?? NO_SECRET)
  const keys = expand(prk, info, 3 * KEY_BYTES)
  const step = {
    root: keys.slice(0, KEY_BYTES) as RootKey,
    chainKey: keys.slice(KEY_BYTES, 2 * KEY_BYTES) as ChainKey,
    nextHeaderKey: keys.slice(2 * KEY_BYTES) as HeaderKey,
  }
  wipe(prk, keys)
  return step
}

/** The key of the chain's next message (Double Ratchet section 5.2): 32 bytes to encrypt, 32 to authenticate [S-22]. */
export function messageKeyOf(chainKey: ChainKey): MessageKey {
  return hmac(chainKey, MESSAGE_STEP) as MessageKey
}

export function nextChainKey(chainKey: ChainKey): ChainKey {
  return hmac32(chainKey, CHAIN_STEP) as ChainKey
}

/** Tags 16 b to 16 b + 15 of a chain, 256 bytes: key stream of XSalsa20 under the header key [S-23]. */
export function tagBlock(headerKey: HeaderKey, block: number): Uint8Array {
  const nonce = concat(TAG_LABEL, littleEndian(block, 4), NONCE_REST)
  return seal(NOTHING, nonce, headerKey).subarray(BOX_OVERHEAD)
}

export function blockOf(n: number): number {
  return Math.floor(n / BLOCK_TAGS)
}

/** The tag of message `n` from its block. */
export function tagIn(block: Uint8Array, n: number): Uint8Array {
  const at = (n % BLOCK_TAGS) * TAG_BYTES
  return block.subarray(at, at + TAG_BYTES)
}

/** The tag of message `n`, which must be in the window. */
export function tagAt(window: TagWindow, n: number): Uint8Array {
  const block = window.blocks[blockOf(n) - window.first]
  if (block === undefined) throw new Fault("bug", "a tag outside its window was asked for")
  return tagIn(block, n)
}

/** The window of a chain whose lowest missing message is `received`; blocks in `before` are reused. */
export function windowFrom(headerKey: HeaderKey, received: number, before?: TagWindow): TagWindow {
  const first = blockOf(received)
  const count = received % BLOCK_TAGS === 0 ? 1 : 2
  if (before?.first === first && before.blocks.length === count) return before
  const blocks: Uint8Array[] = []
  for (let block = first; block < first + count; block += 1) {
    blocks.push(before?.blocks[block - before.first] ?? tagBlock(headerKey, block))
  }
  return { first, blocks }
}

/** The number whose tag starts `wire`, if it is in the window and at least `from`. */
export function numberOf(window: TagWindow, wire: Uint8Array, from: number): number | undefined {
  const [a, b, c, d] = wire
  for (const [index, block] of window.blocks.entries()) {
    for (let at = 0; at < block.length; at += TAG_BYTES) {
      if (block[at] !== a || block[at + 1] !== b || block[at + 2] !== c || block[at + 3] !== d) continue
      const n = (window.first + index) * BLOCK_TAGS + at / TAG_BYTES
      if (n >= from && equal(tagIn(block, n), wire.subarray(0, TAG_BYTES))) return n
    }
  }
  return undefined
}
