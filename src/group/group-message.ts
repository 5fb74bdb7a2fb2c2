import { concat, equal, utf8, type PublicKey, type SigningKey, type VerifyKey } from "../crypto/bytes.ts"
import { hash, sign, verify } from "../crypto/nacl.ts"
import { SIGNATURE_BYTES } from "../crypto/sizes.ts"
import {
  encodeHeader,
  openBody,
  openHeader,
  sealMessage,
  type Keys,
  type SealedHeader,
} from "../session/message.ts"
import type { Frame } from "../wire/frame.ts"
import { decodeFrames, encodeFrames, FRAME_HEADER_BYTES, MESSAGE_OVERHEAD } from "../wire/padding.ts"
import { TAG_BYTES } from "../wire/sizes.ts"
import type { ChainContext } from "./sender-key.ts"

const LABEL = utf8("mqttchat/1 gsig")
const SIG_END = FRAME_HEADER_BYTES + SIGNATURE_BYTES
const NO_SIGNATURE = new Uint8Array(SIGNATURE_BYTES)
const NO_RATCHET_KEY = new Uint8Array(32) as PublicKey

/** One message's place in its chain. */
export type Place = { readonly n: number; readonly tag: Uint8Array }

/** The wire of one message, signed; undefined where no bucket holds the frames [G-22] [G-23]. */
export function sealGroupMessage(
  frames: readonly Frame[],
  keys: Keys & ChainContext,
  { n, tag }: Place,
  signingKey: SigningKey,
): Uint8Array | undefined {
  const wire = encodeFrames([{ kind: "sig", signature: NO_SIGNATURE }, ...frames], MESSAGE_OVERHEAD)
  if (wire === undefined) return undefined
  const header = { ratchetKey: NO_RATCHET_KEY, previous: keys.epoch, n, kem: 0 }
  const padded = wire.subarray(MESSAGE_OVERHEAD)
  const said = signedBytes(keys.transcript, tag, encodeHeader(header), padded)
  padded.set(sign(said, signingKey), FRAME_HEADER_BYTES)
  sealMessage(wire, keys, tag, header)
  return wire
}

/** The frames of a message at its place, without SIG; undefined unless chain, epoch, place and signature are right [G-23]. */
export function openGroupMessage(
  wire: Uint8Array,
  keys: Keys & ChainContext,
  n: number,
  verifyKey: VerifyKey,
): readonly Frame[] | undefined {
  const header = openHeader(wire, keys.headerKey)
  if (header === undefined || !isHeaderOf(header, keys.epoch, n)) return undefined
  return openBody(wire, keys, header, (padded) => {
    const [sig, ...frames] = decodeFrames(padded) ?? []
    if (sig?.kind !== "sig") return undefined
    const said = signedBytes(keys.transcript, wire.subarray(0, TAG_BYTES), header.plain, padded)
    return verify(said, sig.signature, verifyKey) ? frames : undefined
  })
}

function isHeaderOf(header: SealedHeader, epoch: number, n: number): boolean {
  const { ratchetKey, previous, kem } = header
  return previous === epoch && header.n === n && kem === 0 && equal(ratchetKey, NO_RATCHET_KEY)
}

function signedBytes(
  transcript: Uint8Array,
  tag: Uint8Array,
  header: Uint8Array,
  padded: Uint8Array,
): Uint8Array {
  return concat(LABEL, transcript, tag, header, hash(padded.subarray(SIG_END)))
}
