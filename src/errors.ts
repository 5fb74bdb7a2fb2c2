/**
 * The exit code of each kind of fault. The numbers are those of sysexits(3);
 * 75 means "stored, goes out later": the message has not failed.
 */
export const EXIT_CODE = {
  /** Everything works; something protects less than it should. */
  weak: 1,
  usage: 64,
  "bad-data": 65,
  "damaged-key-file": 65,
  "damaged-database": 65,
  "not-found": 66,
  unavailable: 69,
  /** The process that was asked is of another version, so nothing was asked of it. */
  "other-version": 69,
  /** A request was handed over and not answered: it may have been done. */
  unanswered: 69,
  bug: 70,
  exists: 73,
  "disk-full": 74,
  io: 74,
  queued: 75,
  /** The broker cannot be reached now; that is tried again. */
  offline: 75,
  protocol: 76,
  refused: 77,
  locked: 77,
  /** Another device of the same person took the place of this one. */
  replaced: 77,
  "no-profile": 78,
  config: 78,
} as const

export type FaultCode = keyof typeof EXIT_CODE
export const FAULT_CODES = Object.keys(EXIT_CODE) as FaultCode[]

/**
 * Everything that stops a command and is not a bug: what happened and why (`message`), and what to do next
 * (`hint`, a command if there is one). Neither ever holds a secret.
 */
export class Fault extends Error {
  readonly code: FaultCode
  readonly hint: string | undefined

  constructor(code: FaultCode, message: string, hint?: string, cause?: unknown) {
    super(message, { cause })
    this.name = "Fault"
    this.code = code
    this.hint = hint
  }
}

/** The code of an error: the connection ended while a message was on its way to the broker. */
export const CUT_OFF = "ERR_MQTTCHAT_CUT_OFF"
/** The code of an error: a server that shows no certificate with the pinned key. It is another broker. */
export const PIN_MISMATCH = "ERR_MQTTCHAT_PIN"
/** Ours as well: a server ended the connection at the first bytes of TLS, so it may have none. */
export const ENDED_HANDSHAKE = "ERR_MQTTCHAT_ENDED_HANDSHAKE"

/** The error code of Node, OpenSSL, the operating system or mqtt.js, if there is one. */
export function codeOf(error: unknown): string | number | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined
  return typeof error.code === "string" || typeof error.code === "number" ? error.code : undefined
}
