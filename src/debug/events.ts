import { FAULT_CODES } from "../errors.ts"
import { flag, id, method, number, oneOf } from "./fields.ts"

const code = oneOf(...FAULT_CODES)
const milliseconds = number
const connectionState = { state: oneOf("online", "offline", "stopped"), code, session: flag, mqtt: number }
/** The number of a contact in this profile. Names are personal and never written. */
const contact = number
/** The number of a contact's device in this profile. */
const device = number
const brokerClient = oneOf("device", "guest", "registrar", "refused")
const topicKind = oneOf("inbox", "pairing", "group", "registration-request", "registration-answer", "other")

/**
 * Everything that a debug line can contain, by topic and event: the fields of each, and what each field may hold. An
 * unknown field is left out.
 */
export const DEBUG_EVENTS = {
  connection: {
    dial: { credential: oneOf("guest", "device", "account"), addresses: number, mqtt: number },
    state: connectionState,
    subscribe: { to: topicKind, mailbox: id },
    unsubscribe: { to: topicKind, mailbox: id },
    close: {},
  },
  handshake: {
    offer: { mailbox: id, device },
    "offer-closed": {},
    contact: { contact, verified: flag, blocked: flag },
    device: {
      device,
      contact,
      state: oneOf("init-sent", "unconfirmed", "established", "recovering"),
      mailbox: id,
    },
    forget: { contact },
  },
  outbox: {
    frame: {
      frame: number,
      device,
      kind: oneOf(
        "text",
        "control",
        "passing",
        "rejection",
        "init",
        "handshake",
        "resend",
        "chain",
        "gone",
        "pq-ct",
        "topic",
        "topic-ok",
      ),
      message: id,
      bytes: number,
      published: flag,
      attempts: number,
    },
    done: { frame: number },
    state: {
      contact,
      message: id,
      state: oneOf("queued", "broker", "delivered", "read", "given-up", "cancelled", "received"),
    },
    publish: { to: topicKind, mailbox: id, bytes: number },
    acknowledged: { to: topicKind, ms: milliseconds },
    failed: { to: topicKind, ms: milliseconds, code },
  },
  inbox: {
    frame: { to: topicKind, mailbox: id, bytes: number },
    opened: {
      contact,
      device,
      outcome: oneOf("accepted", "committed", "again", "refused", "request", "unknown-mailbox"),
      why: oneOf(
        "blocked",
        "withheld",
        "over-limit",
        "malformed",
        "unknown-tag",
        "forged",
        "too-far-ahead",
        "unknown-kem",
      ),
    },
    message: { contact, message: id },
    acknowledged: { to: topicKind, ms: milliseconds },
    failed: { to: topicKind, ms: milliseconds, code },
  },
  pairing: {
    step: {
      input: oneOf("message", "tick", "asked", "counted", "ready", "cancel"),
      state: oneOf("nothing", "nameplate", "caller", "code", "owner", "key", "proof", "peer", "danger"),
      sent: number,
      effect: oneOf("collision", "held", "answered", "guessed", "keyed", "proved", "failed"),
    },
  },
  store: {
    load: { contacts: number, devices: number, outgoing: number, held: number, offers: number },
    commit: { changes: number, ms: milliseconds },
    failed: { ms: milliseconds, code },
    close: {},
  },
  daemon: {
    connect: { found: flag },
    disagree: { code },
    request: { method },
    answer: { method, ms: milliseconds, code },
    listen: {},
    "listen-end": {},
  },
  broker: {
    open: { client: brokerClient, device: id },
    close: { client: brokerClient, device: id },
    publish: { client: brokerClient, device: id, bytes: number },
    subscribe: { client: brokerClient, device: id, allowed: flag },
    refuse: {
      client: brokerClient,
      device: id,
      what: oneOf("connection", "retained", "qos", "length", "topic", "nameplate", "rate"),
      /** CONNACK of MQTT 3.1.1, section 3.2.2.3. */
      returnCode: number,
    },
    trouble: { code },
  },
  registrar: {
    state: connectionState,
    request: { kind: oneOf("join", "invite", "add-device", "renew", "restore", "head") },
    decision: {
      answer: oneOf("admitted", "invited", "refused", "replaced", "head"),
      entry: oneOf(
        "invited",
        "admitted",
        "restored",
        "renewed",
        "renamed",
        "revoked",
        "expelled",
        "imported",
        "inviters",
        "authority",
      ),
    },
    trouble: { code },
  },
} as const

export type DebugTopic = keyof typeof DEBUG_EVENTS
export const DEBUG_TOPICS = Object.keys(DEBUG_EVENTS) as DebugTopic[]
