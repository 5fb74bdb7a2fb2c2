import { concat, utf8 } from "../crypto/bytes.ts"
import type { EncapsulationKey, KemSeed, PublicKey, Random, SecretKey } from "../crypto/bytes.ts"
import { hash32 } from "../crypto/kdf.ts"
import { kemKeyPair } from "../crypto/mlkem.ts"
import { boxKeyPair, sign, verify } from "../crypto/nacl.ts"
import { ENCAPSULATION_KEY_BYTES, KEM_SEED_BYTES, KEY_BYTES, SIGNATURE_BYTES } from "../crypto/sizes.ts"
import { Reader, Writer, decode } from "../wire/codec.ts"
import { IDENTITY_BYTES, decodeIdentity, encodeIdentity } from "../wire/identity.ts"
import type { IdentityKeys, PublicIdentity } from "../wire/identity.ts"
import { ID_BYTES } from "../wire/topics.ts"
import type { Inbox } from "../wire/topics.ts"
import { BUNDLE_BYTES } from "../wire/sizes.ts"

const VERSION = 2
const MULTI_USE = 1
const RECOVERY = 2
/** Makes every bundle, and so the hash in a link, impossible to guess. */
const FRESH_BYTES = 16
const LABEL = utf8("mqttchat/1 bundle")

/** What a peer needs to write to us first: our identity and prekeys, signed (PQXDH section 3.2) [S-2]. */
export type Bundle = {
  readonly bytes: Uint8Array
  /** First 32 bytes of SHA-512: names the bundle, and is the secret of a link. */
  readonly hash: Uint8Array
  readonly multiUse: boolean
  readonly recovery: boolean
  readonly owner: PublicIdentity
  readonly prekey: PublicKey
  readonly encapsulationKey: EncapsulationKey
  /** Where the owner receives the answer. */
  readonly inbox: Inbox
  /** Unix seconds. */
  readonly notAfter: number
}

/** A bundle of ours with the secrets of its two prekeys. */
export type OpenBundle = {
  readonly bundle: Bundle
  readonly prekeySecret: SecretKey
  readonly kemSeed: KemSeed
}

export type BundleTerms = Pick<Bundle, "multiUse" | "recovery" | "inbox" | "notAfter">

/** A fresh bundle of 1402 bytes, signed by `identity` [S-2]. */
export function makeBundle(identity: IdentityKeys, terms: BundleTerms, random: Random): OpenBundle {
  const { secretKey: prekeySecret, publicKey: prekey } = boxKeyPair(random)
  const kemSeed = random(KEM_SEED_BYTES) as KemSeed
  const unsigned = new Writer()
    .u8(VERSION)
    .u8((terms.multiUse ? MULTI_USE : 0) | (terms.recovery ? RECOVERY : 0))
    .bytes(encodeIdentity(identity.public))
    .bytes(prekey)
    .bytes(kemKeyPair(kemSeed))
    .bytes(terms.inbox.device)
    .bytes(terms.inbox.mailbox)
    .bytes(random(FRESH_BYTES))
    .u64(terms.notAfter)
    .done()
  const bytes = concat(unsigned, sign(concat(LABEL, unsigned), identity.signSecret))
  const bundle = parse(bytes)
  if (bundle === undefined)
    throw new RangeError("an inbox is twice 16 bytes, notAfter a whole number of seconds")
  return { bundle, prekeySecret, kemSeed }
}

/** An untrusted bundle: undefined if malformed, not signed by its owner, or past its notAfter. `now` in unix SECONDS [S-3]. */
export function readBundle(bytes: Uint8Array, now: number): Bundle | undefined {
  const bundle = parse(bytes)
  if (bundle === undefined || bundle.notAfter < now) return undefined
  const unsigned = bundle.bytes.subarray(0, BUNDLE_BYTES - SIGNATURE_BYTES)
  const signature = bundle.bytes.subarray(BUNDLE_BYTES - SIGNATURE_BYTES)
  return verify(concat(LABEL, unsigned), signature, bundle.owner.sign) ? bundle : undefined
}

/** As `now`: for a bundle whose time is judged later, when it is answered. */
export const ANY_TIME = 0

/** The identity that a bundle names, before anything in it is checked. */
export function bundleOwner(bytes: Uint8Array): Uint8Array {
  return bytes.slice(2, 2 + IDENTITY_BYTES)
}

/** True for a bundle of a version whose owner expects another handshake [S-2]. */
export function isEarlierBundle(bytes: Uint8Array): boolean {
  const [version = 0] = bytes
  return bytes.length === BUNDLE_BYTES && version > 0 && version < VERSION
}

/** bundle 1402 | prekey secret 32 | KEM seed 64, for our own store. */
export function encodeOpenBundle(open: OpenBundle): Uint8Array {
  return concat(open.bundle.bytes, open.prekeySecret, open.kemSeed)
}

export function decodeOpenBundle(bytes: Uint8Array): OpenBundle | undefined {
  return decode(bytes, (reader) => {
    const bundle = parse(reader.bytes(BUNDLE_BYTES))
    const prekeySecret = reader.bytes(KEY_BYTES) as SecretKey
    const kemSeed = reader.bytes(KEM_SEED_BYTES) as KemSeed
    return bundle && { bundle, prekeySecret, kemSeed }
  })
}

function parse(bytes: Uint8Array): Bundle | undefined {
  const own = new Uint8Array(bytes)
  return decode(own, (reader) => readFields(reader, own))
}

function readFields(reader: Reader, bytes: Uint8Array): Bundle {
  if (reader.u8() !== VERSION) reader.refuse()
  const flags = reader.u8()
  if (flags > (MULTI_USE | RECOVERY)) reader.refuse()
  const owner = decodeIdentity(reader.bytes(IDENTITY_BYTES))
  const prekey = reader.bytes(KEY_BYTES) as PublicKey
  const encapsulationKey = reader.bytes(ENCAPSULATION_KEY_BYTES) as EncapsulationKey
  const inbox = { device: reader.bytes(ID_BYTES), mailbox: reader.bytes(ID_BYTES) }
  reader.bytes(FRESH_BYTES)
  const notAfter = reader.u64()
  reader.bytes(SIGNATURE_BYTES)
  const multiUse = (flags & MULTI_USE) !== 0
  const recovery = (flags & RECOVERY) !== 0
  return { bytes, hash: hash32(bytes), multiUse, recovery, owner, prekey, encapsulationKey, inbox, notAfter }
}
