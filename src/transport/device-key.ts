import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto"

import { isId } from "../wire/topics.ts"
import { certificateRequest } from "./certificate-request.ts"

/** A device's TLS key, which never leaves this machine, and the request that asks for its certificate. */
export type DeviceKey = {
  /** PKCS #8, PEM. */
  readonly key: string
  /** PKCS #10, DER: proves possession of the key; its name is empty, for the registrar chooses the name. */
  readonly csr: Uint8Array
}

export function makeDeviceKey(): DeviceKey {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  return requestFor(privateKey)
}

/** The request for a key that already has a certificate; `key` is PKCS #8, PEM. */
export function deviceKeyOf(key: string): DeviceKey {
  return requestFor(createPrivateKey(key))
}

function requestFor(secret: KeyObject): DeviceKey {
  const key = String(secret.export({ type: "pkcs8", format: "pem" }))
  return { key, csr: certificateRequest(secret) }
}

/** The device id that `certificate` (DER) names, and its PEM; undefined if it is not for this key or names no id. */
export function acceptCertificate(
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
