import {
  type BoxKey,
  concat,
  equal,
  type Psk,
  type PublicKey,
  type Random,
  type SecretKey,
  utf8,
  wipe,
} from "../crypto/bytes.ts"
import { kdf } from "../crypto/kdf.ts"
import { hash, hmac, open, seal } from "../crypto/nacl.ts"
import { KEY_BYTES, NONCE_BYTES } from "../crypto/sizes.ts"
import { type Access, decodeAccess, encodeAccess } from "../wire/access.ts"
import { CONFIRMATION_BYTES } from "../wire/pairing.ts"
import { BUNDLE_BYTES } from "../wire/sizes.ts"
import type { PairingCode } from "./code.ts"
import { generator, pakeSecret, pakeShare, prefixed, sessionKey } from "./cpace.ts"

const NO_DATA = new Uint8Array(0)

/** One side's secret scalar of an exchange, 32 bytes, and the share made from it. */
export type OwnShare = { readonly scalar: SecretKey; readonly share: PublicKey }

/** Session number and both public shares. */
export type Transcript = {
  /** The owner's 16 bytes, then the caller's. */
  readonly sid: Uint8Array
  readonly callerShare: PublicKey
  readonly ownerShare: PublicKey
}

/** The results of an exchange [P-12] [P-13]. */
export type ExchangeKeys = {
  readonly psk: Psk
  readonly grantKey: BoxKey
  /** What each side must show to prove that it used the same code; 32 bytes each. */
  readonly callerProof: Uint8Array
  readonly ownerProof: Uint8Array
}

/** Draws a scalar and makes the share for this code and session. Undefined only if the random source is broken. */
export function drawShare(code: PairingCode, sid: Uint8Array, random: Random): OwnShare | undefined {
  const scalar = random(KEY_BYTES) as SecretKey
  const share = pakeShare(scalar, generator({ prs: utf8(code.text), ci: channel(code), sid }))
  return share && { scalar, share }
}

/**
 * The keys, or undefined if their share is of low order [P-12]. Equal shares have equal proofs: a share that comes back
 * could be answered with a proof that comes back.
 */
export function exchangeKeys(
  scalar: SecretKey,
  theirs: PublicKey,
  { sid, callerShare, ownerShare }: Transcript,
): ExchangeKeys | undefined {
  if (equal(callerShare, ownerShare)) return undefined
  const secret = pakeSecret(scalar, theirs)
  if (secret === undefined) return undefined
  const shares = [
    { share: callerShare, ad: NO_DATA },
    { share: ownerShare, ad: NO_DATA },
  ] as const
  const isk = sessionKey(sid, secret, shares)
  const mac = hash(utf8("CPaceMac"), sid, isk)
  const keys = {
    psk: kdf(sid, isk, utf8("mqttchat/1 psk code"), KEY_BYTES) as Psk,
    grantKey: kdf(sid, isk, utf8("mqttchat/1 pair r"), KEY_BYTES) as BoxKey,
    callerProof: confirmation(mac, callerShare),
    ownerProof: confirmation(mac, ownerShare),
  }
  wipe(secret, isk, mac)
  return keys
}

export type Grant = { readonly bundle: Uint8Array; readonly access: Access }

/** The owner's bundle and access, readable only by the caller [P-14]. */
export function sealGrant(
  { bundle, access }: Grant,
  key: BoxKey,
  random: Random,
): { nonce: Uint8Array; box: Uint8Array } {
  const nonce = random(NONCE_BYTES)
  return { nonce, box: seal(concat(bundle, encodeAccess(access)), nonce, key) }
}

export function openGrant(sealed: { nonce: Uint8Array; box: Uint8Array }, key: BoxKey): Grant | undefined {
  const plain = open(sealed.box, sealed.nonce, key)
  const access = plain && decodeAccess(plain.subarray(BUNDLE_BYTES))
  return access && { bundle: plain.slice(0, BUNDLE_BYTES), access }
}

/** CPace's channel identifier: the purpose, and the nameplate as people speak it. */
function channel({ nameplate }: PairingCode): Uint8Array {
  return concat(prefixed(utf8("mqttchat/1 pair")), prefixed(utf8(String(nameplate))))
}

/** Draft section "Key confirmation", with HMAC-SHA-512 cut to 32 bytes. */
function confirmation(mac: Uint8Array, share: PublicKey): Uint8Array {
  return hmac(mac, prefixed(share), prefixed(NO_DATA)).slice(0, CONFIRMATION_BYTES)
}
