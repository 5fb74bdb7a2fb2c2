import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import * as tls from "node:tls"
import type { PeerCertificate } from "node:tls"

import { equal } from "../crypto/bytes.ts"
import { isVerifyKey } from "../crypto/ed25519.ts"
import { pinOf } from "./pin.ts"

/** id-kp-serverAuth (RFC 5280 section 4.2.1.12). */
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
/** Server, two intermediates and a root; more is refused rather than hashed. */
const CHAIN_MAX = 8

/**
 * [W-48] The check of a certificate whose chain leads to a pinned key. OpenSSL has checked chain, dates and purpose before. The
 * pin identifies the broker and its address may change, so another name is no reason to refuse it, with two exceptions:
 * of an authority that anyone can be a customer of, the name is all that tells the broker from another customer; and a
 * certificate without any purpose could be a client's.
 */
export function checkPinnedServer(
  { pin, anchor }: { readonly pin: Uint8Array; readonly anchor: string },
  host: string,
  presented: PeerCertificate,
): Error | undefined {
  const wrongName = tls.checkServerIdentity(host, presented)
  const chain = chainOf(presented).map((der) => new X509Certificate(der))
  if (chain.some(isForgeable)) return forgeable()
  const [leaf] = chain
  if (wrongName === undefined || leaf === undefined) return wrongName
  if (isPublic([...chain, new X509Certificate(anchor)])) return wrongName
  const isServer = presented.ext_key_usage?.includes(SERVER_AUTH) === true
  return isServer || equal(pinOf(leaf.raw), pin) ? undefined : wrongName
}

/** OpenSSL takes an Ed25519 key of small order, whose signatures anyone can make, as an authority's and as a server's. */
function isForgeable({ publicKey }: X509Certificate): boolean {
  if (publicKey.asymmetricKeyType !== "ed25519") return false
  const { x = "" } = publicKey.export({ format: "jwk" })
  return !isVerifyKey(Buffer.from(x, "base64url"))
}

function forgeable(): Error {
  const why = new Error("a certificate of the chain has a key whose signatures anyone can make")
  return Object.assign(why, { code: "CERT_UNTRUSTED" })
}

/** DER of each certificate that the server presented, its own first. */
export function chainOf(leaf: PeerCertificate | undefined): Buffer[] {
  const chain: Buffer[] = []
  let next = leaf
  while (next !== undefined && "raw" in next && chain.length < CHAIN_MAX) {
    const { raw } = next
    if (chain.some((seen) => seen.equals(raw))) break
    chain.push(raw)
    next =
      "issuerCertificate" in next
        ? (next as { issuerCertificate?: PeerCertificate }).issuerCertificate
        : undefined
  }
  return chain
}

/** Whether an authority that Node trusts by itself has signed one of the chain, or is one of it. */
function isPublic(chain: readonly X509Certificate[]): boolean {
  const roots = publicRoots()
  return chain.some((presented) => roots.some((root) => isFrom(presented, root)))
}

function isFrom(presented: X509Certificate, root: X509Certificate): boolean {
  return presented.raw.equals(root.raw) || (presented.checkIssued(root) && presented.verify(root.publicKey))
}

let known: readonly X509Certificate[] | undefined

/** Parsed once, as it takes some 20 ms, and only by a process that meets a name that does not fit. */
function publicRoots(): readonly X509Certificate[] {
  known ??= rootCertificates().flatMap(parsed)
  return known
}

/** A file of authorities may hold what is none; Node leaves it out, too. */
function parsed(pem: string): X509Certificate[] {
  try {
    return [new X509Certificate(pem)]
  } catch {
    return []
  }
}

/** Those that a connection without `ca` accepts. Node before 22.15 cannot name the ones of NODE_EXTRA_CA_CERTS. */
function rootCertificates(): readonly string[] {
  const listed = (tls as { getCACertificates?: (type: "default") => string[] }).getCACertificates
  return listed === undefined ? [...tls.rootCertificates, ...extraCertificates()] : listed("default")
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

function extraCertificates(): readonly string[] {
  const path = process.env["NODE_EXTRA_CA_CERTS"]
  if (path === undefined || path === "") return []
  try {
    return readFileSync(path, "latin1").match(PEM_CERTIFICATE) ?? []
  } catch {
    // Node has not read it either, and has warned of it.
    return []
  }
}
