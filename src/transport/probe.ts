import { X509Certificate } from "node:crypto"

import { codeOf, Fault, PIN_MISMATCH } from "../errors.ts"
import { failureOf } from "./failures.ts"
import { pinOf } from "./pin.ts"
import { type Protocol, protocolInClear, protocolOver } from "./detect-protocol.ts"
import type { BrokerAddress, Trust } from "./transport.ts"
import { formatAddress } from "../wire/address.ts"
import { openSocket, type ProvenSocket } from "./trust.ts"

/** What is found at an address that someone has named as their broker's. */
export type Probe =
  /** A broker that proves what was asked of it; without a pin its certificate is publicly trusted. */
  | { readonly kind: "proven"; readonly trust: ProvenTrust }
  /** Its certificate leads to this key, which the user has not confirmed yet. */
  | { readonly kind: "unknown-authority"; readonly pin: Uint8Array }
  /** It leads to another key than the pin that was given. */
  | { readonly kind: "another-pin"; readonly pin: Uint8Array | undefined }
  /** Nothing answers there now. */
  | { readonly kind: "silent"; readonly why: Fault }
  /** What answers is no broker that could be used: what it is, and what helps. */
  | { readonly kind: "unusable"; readonly why: Fault }

/** A certificate may have hundreds. */
const NAMES_MAX = 200

type ProvenTrust = Exclude<Trust, { kind: "unproven" }>

/** Goes as far as a stranger can. No credential travels, and without TLS nothing but the question whether this is MQTT. */
export async function probeBroker(address: BrokerAddress, pin: Uint8Array | undefined): Promise<Probe> {
  const unproven = await attempt(address, { kind: "unproven" })
  if (unproven instanceof Fault) return withoutTls(address, unproven)
  unproven.socket.destroy()
  return pin === undefined ? byName(address, unproven) : byPin(address, pin, unproven)
}

async function byName(address: BrokerAddress, unproven: ProvenSocket): Promise<Probe> {
  const trust = { kind: "name" } as const
  const proven = await attempt(address, trust)
  if (!(proven instanceof Fault)) return speaking(address, proven, { kind: "proven", trust })
  // only then does its chain lead to an authority that Node knows
  if (isWrongName(proven)) return { kind: "unusable", why: wrongName(address, unproven) }
  for (const certificate of unproven.chain.toReversed()) {
    const pin = pinOf(certificate)
    const pinned = await attempt(address, { kind: "pin", pin })
    if (!(pinned instanceof Fault)) return speaking(address, pinned, { kind: "unknown-authority", pin })
    if (isWrongName(pinned)) return { kind: "unusable", why: wrongName(address, unproven) }
    if (!isUntrusted(pinned)) return verdictOf(pinned)
  }
  return verdictOf(proven)
}

async function byPin(address: BrokerAddress, pin: Uint8Array, unproven: ProvenSocket): Promise<Probe> {
  const trust = { kind: "pin", pin } as const
  const proven = await attempt(address, trust)
  if (!(proven instanceof Fault)) return speaking(address, proven, { kind: "proven", trust })
  if (isWrongName(proven)) return { kind: "unusable", why: wrongName(address, unproven) }
  if (codeOf(proven.cause) !== PIN_MISMATCH) return verdictOf(proven)
  const top = unproven.chain.at(-1)
  return { kind: "another-pin", pin: top === undefined ? undefined : pinOf(top) }
}

function verdictOf(why: Fault): Probe {
  return { kind: why.code === "unavailable" ? "silent" : "unusable", why }
}

async function attempt(address: BrokerAddress, trust: Trust): Promise<ProvenSocket | Fault> {
  const target = { address, trust, credential: { kind: "guest" } } as const
  try {
    const cache = { anchor: undefined, session: undefined }
    return await openSocket(target, cache, new AbortController().signal)
  } catch (error) {
    return failureOf(error, address).fault
  }
}

/** A server of something else may have a certificate, too. One that says nothing may want a certificate first. */
async function speaking(address: BrokerAddress, { socket }: ProvenSocket, found: Probe): Promise<Probe> {
  const protocol = await protocolOver(socket)
  if (protocol === "mqtt" || protocol === "nothing") return found
  return { kind: "unusable", why: notMqtt(address, protocol) }
}

function notMqtt(address: BrokerAddress, protocol: Protocol | undefined): Fault {
  return notUsable(address, protocol === "http" ? "HTTP over TLS, not MQTT" : "TLS, but not MQTT")
}

/** No TLS came about: because nothing is there, or because something else is. */
async function withoutTls(address: BrokerAddress, why: Fault): Promise<Probe> {
  const code = codeOf(why.cause)
  if (typeof code === "string" && UNREACHABLE.has(code)) return { kind: "silent", why }
  if (code === NO_SUCH_PROTOCOL) return { kind: "unusable", why: notMqtt(address, undefined) }
  if (code === OTHER_VERSION) return { kind: "unusable", why: notUsable(address, OLDER_TLS) }
  switch (await protocolInClear(address)) {
    case "mqtt":
      return { kind: "unusable", why: hasNoTls(address) }
    case "http":
      return { kind: "unusable", why: notUsable(address, "HTTP") }
    case "tls":
      return { kind: "unusable", why: notUsable(address, OLDER_TLS) }
    case "something else":
      return { kind: "unusable", why: notUsable(address, SOMETHING_ELSE) }
    case "nothing":
      // it has answered, but not with TLS
      return isOfTls(code) ? { kind: "unusable", why: notUsable(address, SOMETHING_ELSE) } : verdictOf(why)
  }
}

function isOfTls(code: string | number | undefined): boolean {
  return code === "EPROTO" || String(code).startsWith("ERR_SSL_")
}

const OLDER_TLS = "an older TLS than 1.3"
const SOMETHING_ELSE = "something else than MQTT over TLS"

/** TLS, but no server of MQTT (ALPN). */
const NO_SUCH_PROTOCOL = "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL"
const OTHER_VERSION = "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION"

/** Nothing has accepted a connection. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
])

/** The user decides: nothing is used without TLS unless they say so. */
function hasNoTls(address: BrokerAddress): Fault {
  const { code, message, hint } = notUsable(address, "MQTT without TLS")
  return new Fault(code, message, `${hint}; if you want it without TLS, add --insecure-transport`)
}

function notUsable(address: BrokerAddress, what: string): Fault {
  const hint = "use the port of MQTT over TLS 1.3, usually 8883"
  return new Fault("protocol", `this port speaks ${what}: ${formatAddress(address)}`, hint)
}

const WRONG_NAME = "ERR_TLS_CERT_ALTNAME_INVALID"

function isWrongName({ cause }: Fault): boolean {
  return codeOf(cause) === WRONG_NAME
}

/** The chain does not lead to what was trusted; the certificate itself may be well. */
function isUntrusted({ cause }: Fault): boolean {
  const code = codeOf(cause)
  return code === PIN_MISMATCH || (typeof code === "string" && CHAIN_ERRORS.has(code))
}

const CHAIN_ERRORS: ReadonlySet<string> = new Set([
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_SIGNATURE_FAILURE",
])

function wrongName(address: BrokerAddress, { chain: [leaf] }: ProvenSocket): Fault {
  const names = leaf === undefined ? undefined : new X509Certificate(leaf).subjectAltName
  const given = names?.replaceAll(/DNS:|IP Address:/g, "").slice(0, NAMES_MAX) ?? "no name"
  const why = `the certificate at ${formatAddress(address)} is for another name: ${given}`
  return new Fault("protocol", why, "use a name that it is for")
}
