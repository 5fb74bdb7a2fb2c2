import { X509Certificate } from "node:crypto"
import { connect as connectTcp, isIP, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import type { ConnectionOptions, TLSSocket } from "node:tls"

import { equal } from "../crypto/bytes.ts"
import { PIN_MISMATCH } from "../errors.ts"
import { boundedLookup } from "./bounded-lookup.ts"
import { established } from "./established.ts"
import { failureOf } from "./failures.ts"
import { isAnnounced } from "./nodes.ts"
import { pinOf } from "./pin.ts"
import { chainOf, checkPinnedServer } from "./server-identity.ts"
import type { BrokerAddress, Credential, ConnectTarget, Trust } from "./transport.ts"

/** A slow mobile network needs a few seconds for TCP and TLS; after that it is quicker to try again. */
const HANDSHAKE_MS = 10_000
/** Less where another address can be tried: packets to an address that the broker has left are often lost unanswered. */
const HANDSHAKE_OF_SEVERAL_MS = 4_000

const LOOKUP = boundedLookup()

/** To look at a chain only. Without the empty list Node would first parse the 140 authorities it knows, in 100 ms. */
const UNCHECKED: ConnectionOptions = { rejectUnauthorized: false, ca: [] }

/** A connection that is as proven as its target asked for. */
export type ProvenSocket<S extends Socket = Socket> = {
  readonly socket: S
  /** DER of each certificate shown, leaf first; empty on a resumed session and without TLS. */
  readonly chain: readonly Buffer[]
}

export type TlsTarget = Omit<ConnectTarget, "trust"> & {
  readonly trust: Exclude<Trust, { kind: "insecure" }>
}

/** What one link keeps between its connections: the pinned certificate and a TLS session made under it. */
export type TlsCache = { anchor: string | undefined; session: Buffer | undefined }

/** Opens the connection that the target asks for: TLS 1.3, or TCP alone where the user chose a broker without TLS. */
export async function openSocket(
  { trust, ...target }: ConnectTarget,
  tlsCache: TlsCache,
  signal: AbortSignal,
): Promise<ProvenSocket> {
  if (trust.kind !== "insecure") return openTlsSocket({ ...target, trust }, tlsCache, signal)
  const { host, port } = target.address
  const socket = connectTcp({ host, port, ...lookupOf(host) })
  return { socket: await established(socket, "connect", { signal, timeout: timeoutOf(target) }), chain: [] }
}

/**
 * Opens TLS 1.3 to the broker. With a pin, the one certificate whose key matches is the only anchor, with chain, dates
 * and purpose checked by OpenSSL, and the host name only where it counts (server-identity.ts); where none is known yet,
 * or the known one does not prove this server, a connection that carries no credential fetches the chain first. Rejects
 * with the errors that `failureOf` reads.
 */
export async function openTlsSocket(
  target: TlsTarget,
  tlsCache: TlsCache,
  signal: AbortSignal,
): Promise<ProvenSocket<TLSSocket>> {
  const { trust, credential } = target
  const address = { ...target.address, timeout: timeoutOf(target) }
  switch (trust.kind) {
    case "unproven":
      // nothing but a guest's PAKE travels here, and the pin is checked on a later connection
      return provenSocket(await handshake(address, UNCHECKED, signal))
    case "name":
      return keepSession(
        await handshake(address, { ...clientCertificate(credential), ...verifyOptions(tlsCache) }, signal),
        tlsCache,
      )
    case "pin":
      return keepSession(await connectPinned({ address, credential }, trust, tlsCache, signal), tlsCache)
  }
}

type Pin = Extract<Trust, { kind: "pin" }>
/** An address, and how long it may take until the TLS handshake is done. */
type TimedAddress = BrokerAddress & { readonly timeout: number }

function timeoutOf({ others = [] }: Pick<ConnectTarget, "others">): number {
  return others.length === 0 ? HANDSHAKE_MS : HANDSHAKE_OF_SEVERAL_MS
}

async function connectPinned(
  { address, credential }: { readonly address: TimedAddress; readonly credential: Credential },
  trust: Pin,
  tlsCache: TlsCache,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const connectWith = (anchor: string): Promise<TLSSocket> =>
    handshake(
      address,
      { ...clientCertificate(credential), ...verifyOptions(tlsCache), ...anchorOptions(trust.pin, anchor) },
      signal,
    )
  const known = tlsCache.anchor ?? knownAnchor(trust)
  tlsCache.anchor = known
  try {
    if (known !== undefined) return await connectWith(known)
  } catch (error) {
    // the authority may have been reissued with the same key: only a chain fetched now distinguishes that from a stranger
    if (signal.aborted || !failureOf(error, address).permanent) throw error
  }
  tlsCache.anchor = undefined
  tlsCache.session = undefined
  tlsCache.anchor = await findAnchor(address, trust.pin, signal)
  return connectWith(tlsCache.anchor)
}

/** Remembered in a file that others might write: it counts for nothing unless it has the pinned key. */
function knownAnchor({ anchor, pin }: Pin): string | undefined {
  try {
    return anchor !== undefined && equal(pinOf(anchor), pin) ? anchor : undefined
  } catch {
    return undefined
  }
}

function clientCertificate(credential: Credential): ConnectionOptions {
  return credential.kind === "device" ? { cert: credential.certificate, key: credential.key } : {}
}

function verifyOptions(tlsCache: TlsCache): ConnectionOptions {
  const session = tlsCache.session === undefined ? {} : { session: tlsCache.session }
  return { ...session, rejectUnauthorized: true }
}

/**
 * The pinned certificate is the anchor at any place in the chain. Only together with `ca`: a partial chain alone
 * makes Node 20 forget the authorities it knows.
 */
function anchorOptions(pin: Uint8Array, anchor: string): ConnectionOptions {
  return {
    ca: anchor,
    allowPartialTrustChain: true,
    checkServerIdentity: (host, presented) => checkPinnedServer({ pin, anchor }, host, presented),
  }
}

async function findAnchor(address: TimedAddress, pin: Uint8Array, signal: AbortSignal): Promise<string> {
  const socket = await handshake(address, UNCHECKED, signal)
  const chain = chainOf(socket.getPeerCertificate(true))
  socket.destroy()
  const match = chain.find((certificate) => equal(pinOf(certificate), pin))
  if (match === undefined) {
    throw Object.assign(new Error("no certificate of the chain has the pinned key"), { code: PIN_MISMATCH })
  }
  return new X509Certificate(match).toString()
}

/** Tickets of a verified connection only, and only within this link: they skip the checks that it has passed. */
function keepSession(socket: TLSSocket, tlsCache: TlsCache): ProvenSocket<TLSSocket> {
  socket.on("session", (session) => (tlsCache.session = session))
  return provenSocket(socket)
}

function provenSocket(socket: TLSSocket): ProvenSocket<TLSSocket> {
  return { socket, chain: chainOf(socket.getPeerCertificate(true)) }
}

function handshake(
  { host, port, timeout }: TimedAddress,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const name = isIP(host) === 0 ? { servername: host } : {}
  const tls = connectTls({
    ...options,
    ...name,
    ...lookupOf(host),
    host,
    port,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["mqtt"],
  })
  return established(tls, "secureConnect", { signal, timeout })
}

function lookupOf(host: string): { readonly lookup?: typeof LOOKUP } {
  return isAnnounced(host) ? { lookup: LOOKUP } : {}
}
