import { createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto } from "node:crypto"

import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  Pkcs10CertificateRequest,
  PublicKey as CertifiedKey,
  X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from "@peculiar/x509"

import type { Random } from "../crypto/bytes.ts"
import { DAY_MS } from "../time-units.ts"
import type { Credential } from "../transport/transport.ts"

type DeviceCredential = Extract<Credential, { kind: "device" }>

/** long enough for a device that is used once a quarter, short enough that a lost one falls out. */
export const DEVICE_DAYS = 90
/** Clocks differ: a certificate must not be "not yet valid" on the one that is behind. */
const BACKDATED_MS = DAY_MS
const SERIAL_BYTES = 16
/** Brokers on OpenSSL refuse all clients once a list has expired; each start and each revocation makes a new one. */
const LIST_YEARS = 20
const YEAR_MS = 365 * DAY_MS
/** RFC 7468 section 6. */
const LIST_LABEL = "X509 CRL"
/** As OpenSSL calls it. */
const P256 = "prime256v1"
const SIGNING = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const

/** PEM of the broker's certificate authority. */
export type AuthorityKeys = { readonly caCertificate: string; readonly caKey: string }

export type Authority = {
  /** X.509 DER of a client certificate whose subject is only this common name. Times are unix ms. */
  readonly issue: (commonName: string, spki: Uint8Array, now: number, until: number) => Promise<Uint8Array>
  /** PEM of the list of these certificates, revoked (RFC 5280 section 5). */
  readonly revocationList: (revoked: readonly Revoked[], now: number) => Promise<string>
}

/** A certificate that is good no longer: X.509 DER, and since when (unix ms). */
export type Revoked = { readonly certificate: Uint8Array; readonly at: number }

export async function openAuthority(keys: AuthorityKeys, random: Random): Promise<Authority> {
  const certificate = new X509Certificate(keys.caCertificate)
  const pkcs8 = createPrivateKey(keys.caKey).export({ type: "pkcs8", format: "der" })
  const signingKey = await webcrypto.subtle.importKey("pkcs8", pkcs8, SIGNING, false, ["sign"])
  pkcs8.fill(0)
  const authorityKey = await AuthorityKeyIdentifierExtension.create(certificate.publicKey, false, webcrypto)
  return {
    issue: async (commonName, spki, now, until) => {
      const issued = await X509CertificateGenerator.create(
        {
          serialNumber: serialNumber(random),
          subject: [{ CN: [commonName] }],
          issuer: certificate.subjectName,
          notBefore: new Date(now - BACKDATED_MS),
          notAfter: new Date(until),
          publicKey: new CertifiedKey(spki),
          signingKey,
          signingAlgorithm: SIGNING,
          extensions: [
            new BasicConstraintsExtension(false, undefined, true),
            new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
            new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
            authorityKey,
          ],
        },
        webcrypto,
      )
      return new Uint8Array(issued.rawData)
    },
    revocationList: async (revoked, now) => {
      const entries = revoked.map(({ certificate: der, at }) => ({
        serialNumber: new X509Certificate(der).serialNumber,
        revocationDate: new Date(at),
      }))
      const list = await X509CrlGenerator.create(
        {
          issuer: certificate.subjectName,
          thisUpdate: new Date(now - BACKDATED_MS),
          nextUpdate: new Date(now + LIST_YEARS * YEAR_MS),
          entries,
          extensions: [authorityKey],
          signingAlgorithm: SIGNING,
          signingKey,
        },
        webcrypto,
      )
      return `${PemConverter.encode(list.rawData, LIST_LABEL)}\n`
    },
  }
}

/**
 * The key (SPKI, DER) of a certificate request (PKCS #10, DER), or undefined unless it is P-256 and signed by its own key. The
 * subject and the extensions that it asks for are not read.
 */
export async function readCsr(csr: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    const request = new Pkcs10CertificateRequest(csr)
    const spki = Buffer.from(request.publicKey.rawData)
    const curve = createPublicKey({ key: spki, format: "der", type: "spki" }).asymmetricKeyDetails?.namedCurve
    if (curve !== P256 || !(await request.verify(webcrypto))) return undefined
    return new Uint8Array(spki)
  } catch {
    // a stranger's bytes: any error of the ASN.1 reader means that they are no request
    return undefined
  }
}

/** Positive and of one length (RFC 5280 section 4.1.2.2), as hex. */
function serialNumber(random: Random): string {
  const [first = 0, ...rest] = random(SERIAL_BYTES)
  return Buffer.from([(first & 0x3f) | 0x40, ...rest]).toString("hex")
}

/** A new key, known to this process only, with a certificate for it. */
export async function newCredential(
  authority: Authority,
  commonName: string,
  { now, lifeMs }: { readonly now: number; readonly lifeMs: number },
): Promise<DeviceCredential> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const spki = publicKey.export({ type: "spki", format: "der" })
  const certificate = await authority.issue(commonName, spki, now, now + lifeMs)
  return {
    kind: "device",
    deviceId: commonName,
    certificate: new X509Certificate(certificate).toString("pem"),
    key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  }
}
