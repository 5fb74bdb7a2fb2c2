import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto"

import { isId } from "../wire/topics.ts"

const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const

/** A device's TLS key, which never leaves this machine, and the request that asks for its certificate. */
export type DeviceKey = {
  /** PKCS #8, PEM. */
  readonly key: string
  /** PKCS #10, DER: proves possession of the key, and names nobody, for the registrar chooses the name. */
  readonly csr: Uint8Array
}

export async function makeDeviceKey(): Promise<DeviceKey> {
  return requestFor(await webcrypto.subtle.generateKey(CURVE, true, ["sign", "verify"]))
}

/** The request for a key that already has a certificate; `key` is PKCS #8, PEM. */
export async function deviceKeyOf(key: string): Promise<DeviceKey> {
  const secret = createPrivateKey(key)
  const jwk = secret.export({ format: "jwk" })
  const publicJwk = { kty: "EC", crv: "P-256", x: jwk.x ?? "", y: jwk.y ?? "" }
  return requestFor({
    privateKey: await webcrypto.subtle.importKey("jwk", { ...publicJwk, d: jwk.d ?? "" }, CURVE, true, [
      "sign",
    ]),
    publicKey: await webcrypto.subtle.importKey("jwk", publicJwk, CURVE, true, ["verify"]),
  })
}

async function requestFor(keys: webcrypto.CryptoKeyPair): Promise<DeviceKey> {
  // 115 ms to load: only here, where somebody registers
  const { Pkcs10CertificateRequestGenerator } = await import("@peculiar/x509")
  const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" }
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm }, webcrypto)
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey))
  const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }).export({
    type: "pkcs8",
    format: "pem",
  })
  pkcs8.fill(0)
  return { key: String(key), csr: new Uint8Array(request.rawData) }
}

/** The device id that `certificate` (DER) names, and its PEM; undefined if it is not for this key or names no id. */
export function admit(
  certificate: Uint8Array,
  key: string,
): { deviceId: string; certificate: string } | undefined {
  const read = readCertificate(certificate)
  if (read?.checkPrivateKey(createPrivateKey(key)) !== true) return undefined
  const deviceId = /^CN=(.+)$/.exec(read.subject)?.[1] ?? ""
  return isId(deviceId) ? { deviceId, certificate: read.toString() } : undefined
}

function readCertificate(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der)
  } catch {
    return undefined
  }
}
