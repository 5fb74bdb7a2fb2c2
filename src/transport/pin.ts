import { createHash, X509Certificate } from "node:crypto"

import { PIN_BYTES } from "../wire/access.ts"

/** SHA-256(SPKI)[0:16] of a certificate, PEM or DER. */
export function pinOf(certificate: string | Buffer): Uint8Array {
  const spki = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" })
  return new Uint8Array(createHash("sha256").update(spki).digest().subarray(0, PIN_BYTES))
}
