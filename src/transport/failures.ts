import { codeOf, ENDED_HANDSHAKE, Fault, PIN_MISMATCH } from "../errors.ts"
import { SESSION_TAKEN_OVER } from "../wire/topics.ts"
import type { BrokerAddress, Credential } from "./transport.ts"

/**
 * Why a connection ended, and whether trying again can help. `cut`: something is there and ended it without a reason, as a
 * proxy does whose broker restarts.
 */
export type Failure = {
  readonly permanent: boolean
  readonly cut?: boolean
  /** Another program connected with the keys of this device: at once, it would only be its turn to lose the connection. */
  readonly takenOver?: boolean
  readonly fault: Fault
}

/** Our own codes, in addition to those of Node and OpenSSL. */
export const TOO_LARGE = "ERR_MQTTCHAT_PACKET_TOO_LARGE"
export const NO_ANSWER = "ERR_MQTTCHAT_NO_ANSWER"
const ENDED_WITHOUT_TLS = "ERR_MQTTCHAT_ENDED_WITHOUT_TLS"

type Row = {
  permanent: boolean
  cut?: boolean
  takenOver?: boolean
  code: "unavailable" | "refused" | "protocol"
  text: string
  hint?: string
}

function unavailable(text: string): Row {
  return { permanent: false, code: "unavailable", text }
}

function cut(text: string): Row {
  return { ...unavailable(text), cut: true }
}

const UNTRUSTED: Row = {
  permanent: true,
  code: "protocol",
  text: "shows a certificate that does not lead to the key you trusted",
  hint: "someone may be in between: ask the person who runs it for the pin, then: mqttchat config set broker HOST --pin PIN",
}
const CLOCK: Row = {
  permanent: true,
  code: "protocol",
  text: "shows a certificate that is not valid now",
  hint: "check this machine's clock, then ask the person who runs the broker to renew it",
}
const NOT_ADMITTED: Row = {
  permanent: true,
  code: "refused",
  text: "does not accept this device",
  hint: "ask the person who runs it for an invitation",
}
const WRONG_ACCOUNT: Row = {
  ...NOT_ADMITTED,
  text: "refuses the user name or password",
  hint: "check them, or ask the person who runs it",
}
/** Mosquitto says "not authorised" to a wrong password, too. */
const NOT_AUTHORISED: Row = {
  ...NOT_ADMITTED,
  text: "does not let us in: it wants an account, or a user name or password is wrong",
  hint: "check user name and password, or ask the person who runs it",
}
const NOT_TLS13: Row = {
  permanent: true,
  code: "unavailable",
  text: "does not speak MQTT over TLS 1.3 on this port",
  hint: "check the port: 8883 is usual",
}

const BUSY = unavailable("is too busy just now")

const BY_CODE: Readonly<Record<string, Row>> = {
  ECONNREFUSED: unavailable("is not running: connection refused"),
  ECONNRESET: cut("cut the connection"),
  EPIPE: cut("cut the connection"),
  EHOSTUNREACH: unavailable("cannot be reached from this network"),
  ENETUNREACH: unavailable("cannot be reached: no network"),
  ETIMEDOUT: unavailable("does not answer"),
  ENOTFOUND: unavailable("is not known by that name"),
  EAI_AGAIN: unavailable("cannot be looked up: no name service"),
  [NO_ANSWER]: unavailable("does not answer"),
  [TOO_LARGE]: unavailable("sent a packet over the limit"),
  [ENDED_HANDSHAKE]: {
    ...cut("ended the connection at the first bytes of TLS"),
    hint: "check the port: 8883 is usual; 1883 is usual for MQTT without TLS",
  },
  [ENDED_WITHOUT_TLS]: {
    ...cut("ended the connection at the first bytes of MQTT without TLS"),
    hint: "check the port: 1883 is usual for MQTT without TLS; if it has TLS, leave out --insecure-transport",
  },

  [PIN_MISMATCH]: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  CERT_CHAIN_TOO_LONG: UNTRUSTED,
  CERT_UNTRUSTED: UNTRUSTED,
  INVALID_CA: UNTRUSTED,
  INVALID_PURPOSE: UNTRUSTED,
  ERR_TLS_CERT_ALTNAME_INVALID: {
    ...UNTRUSTED,
    text: "shows a certificate for another address",
    hint: "use the address its certificate names, or have it renewed for this one",
  },
  CERT_HAS_EXPIRED: { ...CLOCK, text: "shows a certificate that has expired" },
  CERT_NOT_YET_VALID: { ...CLOCK, text: "shows a certificate that is not valid yet" },

  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: NOT_ADMITTED,
  // an authority of the same name with another key
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: NOT_ADMITTED,
  ERR_SSL_TLSV1_ALERT_ACCESS_DENIED: NOT_ADMITTED,
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: NOT_ADMITTED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: NOT_ADMITTED,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: NOT_ADMITTED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: NOT_ADMITTED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: NOT_ADMITTED,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: NOT_ADMITTED,

  EPROTO: NOT_TLS13,
  ERR_SSL_WRONG_VERSION_NUMBER: NOT_TLS13,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NOT_TLS13,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: NOT_TLS13,
  ERR_SSL_UNSUPPORTED_PROTOCOL: NOT_TLS13,
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: NOT_TLS13,
}

/** From here on a SUBACK code is a refusal (MQTT 3.1.1 section 3.9.3). */
export const REFUSED_FROM = 0x80

/** CONNACK and DISCONNECT reasons: 3.1.1 section 3.2.2.3 up to 5, MQTT 5 section 2.4 from 128. */
const BY_REASON: Readonly<Record<number, Row>> = {
  1: { ...NOT_TLS13, text: "speaks neither MQTT 5 nor 3.1.1" },
  132: { ...NOT_TLS13, text: "speaks neither MQTT 5 nor 3.1.1" },
  2: NOT_ADMITTED,
  133: NOT_ADMITTED,
  4: WRONG_ACCOUNT,
  134: WRONG_ACCOUNT,
  5: NOT_AUTHORISED,
  135: NOT_AUTHORISED,
  138: NOT_ADMITTED,
  140: NOT_ADMITTED,
  3: BUSY,
  136: BUSY,
  137: BUSY,
  [SESSION_TAKEN_OVER]: {
    ...unavailable("let another program in with the keys of this profile, perhaps from a copy of its folder"),
    takenOver: true,
    hint: "use one of the two and stop the other; another machine gets a profile of its own by: mqttchat init",
  },
}

/** What an error of a socket, of TLS or of mqtt.js means for the person who waits for this broker. */
export function failureOf(error: unknown, address: BrokerAddress, credential?: Credential["kind"]): Failure {
  if (error instanceof Fault) return { permanent: false, fault: error }
  const found = rowOf(codeOf(error))
  // RabbitMQ takes a certificate's name for a user name
  const row = found === WRONG_ACCOUNT && credential === "device" ? NOT_ADMITTED : found
  const message = `the broker at ${address.host}:${address.port} ${row.text}`
  const fault = new Fault(row.code, message, row.hint, error)
  return { permanent: row.permanent, cut: row.cut === true, takenOver: row.takenOver === true, fault }
}

/** A server of TLS ends a connection without TLS at its first packet; some send bytes first that are not MQTT. */
export function endedWithoutTls(error: unknown): unknown {
  const code = codeOf(error)
  if (code !== undefined && code !== "ECONNRESET") return error
  return Object.assign(new Error("ended before CONNACK", { cause: error }), { code: ENDED_WITHOUT_TLS })
}

/** CONNACK 1 (3.1.1) and 132 (5): not this version of MQTT. */
export function refusesVersion(error: unknown): boolean {
  const code = codeOf(error)
  return code === 1 || code === 132
}

/** Older brokers close the connection without a word. */
export function mayRefuseVersion(error: unknown): boolean {
  return codeOf(error) === undefined || refusesVersion(error)
}

function rowOf(code: string | number | undefined): Row {
  if (code === undefined) return cut("ended the connection without saying why")
  const row = typeof code === "string" ? BY_CODE[code] : BY_REASON[code]
  return (
    row ?? unavailable(typeof code === "string" ? `cannot be used now (${code})` : `refused, reason ${code}`)
  )
}
