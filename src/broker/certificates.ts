import { createHash, X509Certificate } from "node:crypto"
import { isIP } from "node:net"
import { generate } from "selfsigned"
import { Fault } from "../errors.ts"
import { DAY_MS } from "../time-units.ts"
import { PIN_BYTES } from "../wire/access.ts"

/** PEM of the broker's certificate authority. The key also signs device certificates: its holder can admit any device. */
export type Authority = { readonly caCertificate: string; readonly caKey: string }
/** PEM of what the listener shows: the certificate for its host names and its key. */
export type ServerCertificate = { readonly certificate: string; readonly key: string }

/** Laptops' clocks differ; a certificate must not be "not yet valid" on the one that is behind. */
const BACKDATED_DAYS = 1
/** People have pinned its key: the authority outlives the laptop. */
const AUTHORITY_DAYS = 20 * 365
/** The longest that TLS clients take for a server's certificate (CA/Browser Forum, until 2026). */
const SERVER_DAYS = 397

/** No user input in a subject: commas would add fields. */
const AUTHORITY_NAME = "mqttchat broker authority"
const SERVER_NAME = "mqttchat broker"
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i

const KEY = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const

/** A new P-256 authority, good for 20 years, that may sign end certificates only (RFC 5280, path length 0). */
export async function makeAuthority(): Promise<Authority> {
  const made = await generate([{ name: "commonName", value: AUTHORITY_NAME }], {
    ...KEY,
    ...validity(AUTHORITY_DAYS),
    extensions: [
      { name: "basicConstraints", cA: true, pathLenConstraint: 0, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  return { caCertificate: made.cert, caKey: made.private }
}

/**
 * A server certificate for `hosts` (names or IP addresses), good for 397 days. A broker makes one at each start:
 * people pin the authority, so neither a new key nor a new address breaks anything.
 * @throws Fault `usage` if a host is neither.
 */
export async function makeServerCertificate(
  authority: Authority,
  hosts: readonly string[],
): Promise<ServerCertificate> {
  const made = await generate([{ name: "commonName", value: SERVER_NAME }], {
    ...KEY,
    ...validity(SERVER_DAYS),
    ca: { cert: authority.caCertificate, key: authority.caKey },
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      { name: "subjectAltName", altNames: hosts.map(alternativeName) },
    ],
  })
  return { certificate: made.cert, key: made.private }
}

/** What people pin: the first 16 bytes of SHA-256 over the key (SPKI), which a renewal leaves as it is. */
export function pinOf(certificate: string): Uint8Array {
  const spki = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" })
  return new Uint8Array(createHash("sha256").update(spki).digest().subarray(0, PIN_BYTES))
}

function validity(days: number): { notBeforeDate: Date; notAfterDate: Date } {
  const start = Date.now() - BACKDATED_DAYS * DAY_MS
  return { notBeforeDate: new Date(start), notAfterDate: new Date(start + days * DAY_MS) }
}

function alternativeName(host: string): { type: 2; value: string } | { type: 7; ip: string } {
  if (isIP(host) !== 0 && !host.includes("%")) return { type: 7, ip: host }
  if (HOST_NAME.test(host)) return { type: 2, value: host }
  throw new Fault("usage", `not a host name or an IP address: ${JSON.stringify(host)}`)
}
