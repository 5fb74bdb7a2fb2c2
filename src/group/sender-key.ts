import { concat, utf8, type ChainKey, type HeaderKey, type VerifyKey } from "../crypto/bytes.ts"
import { hash32, kdf } from "../crypto/kdf.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import { isVerifyKey } from "../crypto/ed25519.ts"
import { decode, littleEndian, Writer } from "../wire/codec.ts"
import { encodeIdentity, type PublicIdentity } from "../wire/identity.ts"
import { GROUP_ID_BYTES } from "../wire/sizes.ts"
import { EPOCH_HASH_BYTES, EPOCH_MAX, epochHash, type Epoch } from "./epoch.ts"

/** A sending chain ends after so many messages: who gets a copy of its key reads no further [G-24]. */
export const GROUP_CHAIN_MAX = 200

const TRANSCRIPT_LABEL = utf8("mqttchat/1 group th")
const HEADER_LABEL = utf8("mqttchat/1 group header")

/** Group, epoch number and epoch hash: what both sides of a GROUP_KEY have to agree on. */
export type EpochName = { readonly group: Uint8Array; readonly number: number; readonly hash: Uint8Array }

/** What a device gives to the others, so that they read what it says in one epoch [G-20]. */
export type SenderKey = {
  readonly epoch: EpochName
  /** The NUMBER of its message `n`, which counts through all epochs. */
  readonly firstNumber: number
  /** The number in the chain from which this key opens messages. */
  readonly n: number
  readonly chainKey: ChainKey
  readonly headerKey: HeaderKey
  readonly verifyKey: VerifyKey
}

/** What all messages of one chain have in common. */
export type ChainContext = {
  readonly epoch: number
  /** Binds group, epoch, members, the sending device and its key, 32 bytes [G-21]. */
  readonly transcript: Uint8Array
  /** For tags and headers. */
  readonly headerKey: HeaderKey
}

export function epochName(epoch: Epoch): EpochName {
  return { group: epoch.group, number: epoch.number, hash: epochHash(epoch) }
}

/** A member cannot give out another's keys as its own: device and key are in the transcript, that in the header key [G-21]. */
export function chainContext(
  { epoch, headerKey, verifyKey }: Pick<SenderKey, "epoch" | "headerKey" | "verifyKey">,
  device: PublicIdentity,
): ChainContext {
  const { group, number, hash } = epoch
  const identity = encodeIdentity(device)
  const transcript = hash32(TRANSCRIPT_LABEL, group, littleEndian(number, 4), hash, identity, verifyKey)
  const ownHeaderKey = kdf(transcript, headerKey, HEADER_LABEL, KEY_BYTES) as HeaderKey
  return { epoch: number, transcript, headerKey: ownHeaderKey }
}

/** `group id 16 | epoch u32 | epoch hash 32 | first NUMBER u32 | n u16 | chain key 32 | header key 32 | Ed25519 key 32` [G-20]. */
export function encodeSenderKey({ epoch, firstNumber, n, ...keys }: SenderKey): Uint8Array {
  const head = new Writer().bytes(epoch.group).u32(epoch.number).bytes(epoch.hash).u32(firstNumber).u16(n)
  return concat(head.done(), keys.chainKey, keys.headerKey, keys.verifyKey)
}

/** The key in these bytes, or undefined unless `encodeSenderKey` would write them and the Ed25519 key is valid [S-1]. */
export function decodeSenderKey(bytes: Uint8Array): SenderKey | undefined {
  return decode(bytes, (reader) => {
    const group = reader.bytes(GROUP_ID_BYTES)
    const epoch = { group, number: reader.u32(), hash: reader.bytes(EPOCH_HASH_BYTES) }
    const firstNumber = reader.u32()
    const n = reader.u16()
    const chainKey = reader.bytes(KEY_BYTES) as ChainKey
    const headerKey = reader.bytes(KEY_BYTES) as HeaderKey
    const verifyKey = reader.bytes(KEY_BYTES) as VerifyKey
    const isValid = epoch.number <= EPOCH_MAX && n < GROUP_CHAIN_MAX && isVerifyKey(verifyKey)
    return isValid ? { epoch, firstNumber, n, chainKey, headerKey, verifyKey } : undefined
  })
}
