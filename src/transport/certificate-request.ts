import { createPublicKey, sign, type KeyObject } from "node:crypto"

/** Tags of ASN.1 (X.690 section 8). */
const SEQUENCE = 0x30
const BIT_STRING = 0x03
/** `INTEGER 0`: the version of PKCS #10. */
const VERSION_0 = Uint8Array.of(0x02, 0x01, 0x00)
/** An empty name and an empty set of attributes: the signer reads neither. */
const NO_SUBJECT = Uint8Array.of(SEQUENCE, 0)
const NO_ATTRIBUTES = Uint8Array.of(0xa0, 0)
/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2 (RFC 5758 section 3.2). */
const ALGORITHM = Uint8Array.of(SEQUENCE, 10, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02)

/**
 * The request (PKCS #10, RFC 2986, DER) that a P-256 key be certified, signed with that key. It is written by hand:
 * the library that reads them takes longer to load than all the rest of a registration.
 */
export function certificateRequest(key: KeyObject): Uint8Array {
  const spki = createPublicKey(key).export({ type: "spki", format: "der" })
  const info = der(SEQUENCE, VERSION_0, NO_SUBJECT, spki, NO_ATTRIBUTES)
  const signature = sign("sha256", info, { key, dsaEncoding: "der" })
  return der(SEQUENCE, info, ALGORITHM, der(BIT_STRING, Uint8Array.of(0), signature))
}

/** Tag, length and contents of at most 255 bytes, which a request for a P-256 key stays below (X.690 section 8.1.3). */
function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const contents = Buffer.concat(parts)
  const length = contents.length < 128 ? [contents.length] : [0x81, contents.length]
  return new Uint8Array(Buffer.concat([Uint8Array.of(tag, ...length), contents]))
}
