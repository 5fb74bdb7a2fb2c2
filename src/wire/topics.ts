import { toBase64url } from "../crypto/bytes.ts"

export const ID_BYTES = 16
/** Canonical base64url of 16 bytes: the last character uses only two bits. */
const ID_TEXT = /^[A-Za-z0-9_-]{21}[AQgw]$/
export const NAMEPLATE_MAX = 9999
const NAMEPLATE_TEXT = /^[1-9][0-9]{0,3}$/

/** Where a device receives from one contact: both halves are 16 random bytes [W-10]. */
export type Inbox = { readonly device: Uint8Array; readonly mailbox: Uint8Array }

/** Every topic that mqttchat uses, by purpose [W-10]. */
export type Topic =
  | { readonly kind: "inbox"; readonly device: string; readonly mailbox: string }
  | { readonly kind: "pairing"; readonly nameplate: number }
  /** One epoch of a group: who knows its secret knows the id [G-6]. */
  | { readonly kind: "group"; readonly id: string }
  | { readonly kind: "registration-request"; readonly id: string }
  | { readonly kind: "registration-answer"; readonly id: string }

export function inboxTopic(inbox: Inbox): string {
  return `mc/1/i/${toBase64url(inbox.device)}/${toBase64url(inbox.mailbox)}`
}

export function pairingTopic(nameplate: number): string {
  return topicFilter("pairing", String(nameplate))
}

export function registrationRequestTopic(id: string): string {
  return topicFilter("registration-request", id)
}

export function registrationAnswerTopic(id: string): string {
  return topicFilter("registration-answer", id)
}

export const TOPIC_KINDS = [
  "inbox",
  "pairing",
  "group",
  "registration-request",
  "registration-answer",
] as const

const BRANCHES: Readonly<Record<Topic["kind"], readonly [before: string, after: string]>> = {
  inbox: ["mc/1/i/", "/+"],
  pairing: ["mc/1/p/", ""],
  group: ["mc/1/g/", ""],
  "registration-request": ["mc/1/reg/q/", ""],
  "registration-answer": ["mc/1/reg/a/", ""],
}

/** The filter for the topics of one kind that belong to `owner`: a device, a nameplate or an id. `+` is all of them. */
export function topicFilter(kind: Topic["kind"], owner: string): string {
  const [before, after] = BRANCHES[kind]
  return `${before}${owner}${after}`
}

/** The part of a topic on which access depends. */
export function topicOwner(topic: Topic): string {
  switch (topic.kind) {
    case "inbox":
      return topic.device
    case "pairing":
      return String(topic.nameplate)
    case "group":
    case "registration-request":
    case "registration-answer":
      return topic.id
  }
}

/**
 * What the embedded broker writes to a device on its registration-answer topic before it ends the connection: DISCONNECT's
 * reason "session taken over" of MQTT 5, section 3.14.2.1, for MQTT 3.1.1 has none [W-12].
 */
export const SESSION_TAKEN_OVER = 142

/** The registrar's one subscription. */
export const REGISTRATION_REQUESTS = topicFilter("registration-request", "+")

/** Reads a topic name, never a filter: the grammar has no wildcards. */
export function parseTopic(topic: string): Topic | undefined {
  const [root, version, branch, first = "", second, ...more] = topic.split("/")
  if (root !== "mc" || version !== "1" || more.length > 0) return undefined
  if (second === undefined) return parseOneLevel(branch, first)
  if (!isId(second)) return undefined
  if (branch === "i") return isId(first) ? { kind: "inbox", device: first, mailbox: second } : undefined
  return branch === "reg" ? parseRegistration(first, second) : undefined
}

function parseOneLevel(branch: string | undefined, id: string): Topic | undefined {
  if (branch === "g") return isId(id) ? { kind: "group", id } : undefined
  return branch === "p" ? parseNameplate(id) : undefined
}

function parseNameplate(text: string): Topic | undefined {
  return NAMEPLATE_TEXT.test(text) ? { kind: "pairing", nameplate: Number(text) } : undefined
}

function parseRegistration(direction: string, id: string): Topic | undefined {
  if (direction === "q") return { kind: "registration-request", id }
  return direction === "a" ? { kind: "registration-answer", id } : undefined
}

/** True for the canonical base64url of 16 bytes. */
export function isId(text: string): boolean {
  return ID_TEXT.test(text)
}

export function joinInbox(inbox: Inbox): Uint8Array {
  return new Uint8Array(Buffer.concat([inbox.device, inbox.mailbox]))
}

export function splitInbox(bytes: Uint8Array): Inbox {
  return { device: bytes.slice(0, ID_BYTES), mailbox: bytes.slice(ID_BYTES) }
}
