import { createHash, X509Certificate } from "node:crypto"
import { isIP } from "node:net"
import { connect as connectTls } from "node:tls"
import type { ConnectionOptions, PeerCertificate, TLSSocket } from "node:tls"

import { equal } from "../crypto/bytes.ts"
import { failureOf, NO_ANSWER, PIN_MISMATCH } from "./failures.ts"
import type { BrokerAddress, Credential, LinkTarget, Trust } from "./transport.ts"

const PIN_BYTES = 16
/** A slow mobile network needs a few seconds for TCP and TLS; after that it is quicker to try again. */
const HANDSHAKE_MS = 10_000
/** Server, two intermediates and a root; more is refused rather than hashed. */
const CHAIN_MAX = 8

/** To look at a chain only. Without the empty list Node would first parse the 140 authorities it knows, in 100 ms. */
const UNCHECKED: ConnectionOptions = { rejectUnauthorized: false, ca: [] }

/** A connection that is as proven as its target asked for. */
export type Secured = {
  readonly socket: TLSSocket
  /** DER of each certificate shown, leaf first; empty on a resumed session. */
  readonly shown: readonly Buffer[]
}

/** What one link keeps between its connections: the pinned certificate and a TLS session made under it. */
export type Proven = { anchor: string | undefined; session: Buffer | undefined }

/**
 * Opens TLS 1.3 to the broker. With a pin, the one certificate whose key matches is the only anchor, with chain, purpose
 * and host checked by OpenSSL and Node; where none is known yet, or the known one does not prove this server, a
 * connection that carries no credential fetches the chain first. Rejects with the errors that `failureOf` reads.
 */
export async function openSocket(target: LinkTarget, proven: Proven, signal: AbortSignal): Promise<Secured> {
  const { address, trust, credential } = target
  switch (trust.kind) {
    case "unproven":
      // nothing but a guest's PAKE travels here, and the pin is checked on a later connection
      return secured(await handshake(address, UNCHECKED, signal))
    case "name":
      return resumable(
        await handshake(address, { ...shownBy(credential), ...verified(proven) }, signal),
        proven,
      )
    case "pin":
      return resumable(await pinned(target, trust, proven, signal), proven)
  }
}

type Pin = Extract<Trust, { kind: "pin" }>

async function pinned(
  { address, credential }: LinkTarget,
  trust: Pin,
  proven: Proven,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const under = (anchor: string): Promise<TLSSocket> =>
    handshake(address, { ...shownBy(credential), ...verified(proven), ...anchored(anchor) }, signal)
  const known = proven.anchor ?? knownAnchor(trust)
  proven.anchor = known
  try {
    if (known !== undefined) return await under(known)
  } catch (error) {
    // with the same key it may have been made anew: only a chain fetched now can tell that from a stranger
    if (signal.aborted || !failureOf(error, address).permanent) throw error
  }
  proven.anchor = undefined
  proven.session = undefined
  proven.anchor = await findAnchor(address, trust.pin, signal)
  return under(proven.anchor)
}

/** Remembered in a file that others might write: it counts for nothing unless it has the pinned key. */
function knownAnchor({ anchor, pin }: Pin): string | undefined {
  try {
    return anchor !== undefined && equal(pinOf(anchor), pin) ? anchor : undefined
  } catch {
    return undefined
  }
}

function shownBy(credential: Credential): ConnectionOptions {
  return credential.kind === "device" ? { cert: credential.certificate, key: credential.key } : {}
}

/** SHA-256(SPKI)[0:16] of a certificate, PEM or DER. */
export function pinOf(certificate: string | Buffer): Uint8Array {
  const spki = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" })
  return new Uint8Array(createHash("sha256").update(spki).digest().subarray(0, PIN_BYTES))
}

function verified(proven: Proven): ConnectionOptions {
  const session = proven.session === undefined ? {} : { session: proven.session }
  return { ...session, rejectUnauthorized: true }
}

/**
 * The pinned certificate is the anchor whatever its place in the chain. Only together with `ca`: a partial chain alone
 * makes Node 20 forget the authorities it knows.
 */
function anchored(anchor: string): ConnectionOptions {
  return { ca: anchor, allowPartialTrustChain: true }
}

async function findAnchor(address: BrokerAddress, pin: Uint8Array, signal: AbortSignal): Promise<string> {
  const socket = await handshake(address, UNCHECKED, signal)
  const shown = chain(socket)
  socket.destroy()
  const match = shown.find((certificate) => equal(pinOf(certificate), pin))
  if (match === undefined) {
    throw Object.assign(new Error("no certificate of the chain has the pinned key"), { code: PIN_MISMATCH })
  }
  return new X509Certificate(match).toString()
}

/** Tickets of a verified connection only, and only within this link: they skip the checks that it has passed. */
function resumable(socket: TLSSocket, proven: Proven): Secured {
  socket.on("session", (session) => (proven.session = session))
  return secured(socket)
}

function secured(socket: TLSSocket): Secured {
  return { socket, shown: chain(socket) }
}

function chain(socket: TLSSocket): Buffer[] {
  const shown: Buffer[] = []
  let next: PeerCertificate | undefined = socket.getPeerCertificate(true)
  while (next !== undefined && "raw" in next && shown.length < CHAIN_MAX) {
    const { raw } = next
    if (shown.some((seen) => seen.equals(raw))) break
    shown.push(raw)
    next =
      "issuerCertificate" in next
        ? (next as { issuerCertificate?: PeerCertificate }).issuerCertificate
        : undefined
  }
  return shown
}

function handshake(
  address: BrokerAddress,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const { host, port } = address
  const name = isIP(host) === 0 ? { servername: host } : {}
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      ...options,
      ...name,
      host,
      port,
      minVersion: "TLSv1.3",
      ALPNProtocols: ["mqtt"],
    })
    const abort = () => socket.destroy(new Error("the link was closed"))
    const late = () =>
      socket.destroy(Object.assign(new Error("no TLS handshake in time"), { code: NO_ANSWER }))
    const settle = () => {
      socket.setTimeout(0)
      // the listener of errors stays: one that comes before the next listener must not end the process
      socket.off("close", closed).off("timeout", late)
      signal.removeEventListener("abort", abort)
    }
    const closed = () => reject(new Error("closed during the TLS handshake"))
    // the signal is the link's, which outlives thousands of attempts
    socket.once("close", () => signal.removeEventListener("abort", abort))
    socket.setNoDelay(true)
    socket.setTimeout(HANDSHAKE_MS)
    socket.on("error", reject).on("close", closed).on("timeout", late)
    socket.once("secureConnect", () => {
      settle()
      resolve(socket)
    })
    if (signal.aborted) abort()
    else signal.addEventListener("abort", abort)
  })
}
