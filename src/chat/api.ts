import * as v from "valibot"

import type { FaultCode } from "../errors.ts"

/** A name longer than this fits no prompt; 64 bytes travel in HELLO. */
const NAME_MAX = 64
/** A pasted armoured bundle is about 2 kB, a link under 300 characters. */
const CARRIER_MAX = 4096
/** One message fills at most the largest bucket: `TEXT_MAX_BYTES` of wire/frame.ts. */
const TEXT_BYTES_MAX = 65_367
const PAGE_MAX = 10_000

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_MAX))
const text = v.pipe(v.string(), v.maxLength(TEXT_BYTES_MAX))
const limit = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(PAGE_MAX))
const carrier = v.pipe(v.string(), v.maxLength(CARRIER_MAX))

/** Every command that a face, a script or another process can give; the key is its JSON-RPC method name. */
export const COMMANDS = {
  status: v.strictObject({}),
  /** Resolves when everything that the broker kept for us is here, or the link is down. */
  "catch-up": v.strictObject({}),
  /** Resolves when the message is on disk (`queued`), or with `wait` when the broker has acknowledged it. */
  send: v.strictObject({ to: name, text, wait: v.picklist(["disk", "broker"]), timeoutMs: v.number() }),
  history: v.strictObject({ with: name, limit }),
  search: v.strictObject({ words: v.string(), limit }),
  /** Messages no face has shown; `take` marks them shown. */
  inbox: v.strictObject({ take: v.boolean() }),
  shown: v.strictObject({ with: name, upTo: v.number() }),
  contacts: v.strictObject({}),
  rename: v.strictObject({ contact: name, to: name }),
  block: v.strictObject({ contact: name, blocked: v.boolean() }),
  forget: v.strictObject({ contact: name }),
  verify: v.strictObject({ contact: name }),
  "mark-verified": v.strictObject({ contact: name, verified: v.boolean() }),
  /** Starts an offer; `pairing` events follow until it is paired or failed. */
  "pair-offer": v.strictObject({ by: v.picklist(["code", "link", "file"]), words: v.picklist([2, 3]) }),
  /** A code for another laptop of the same person: who answers it becomes a device of the same user. */
  "device-offer": v.strictObject({ words: v.picklist([2, 3]) }),
  /** Answers an offer: a code, a link, or the text of a bundle file. `name` renames the new contact. */
  "pair-answer": v.strictObject({ by: v.picklist(["code", "link", "file"]), carrier }),
  "pair-cancel": v.strictObject({}),
  /** Makes the profile a member of the broker of an invitation. */
  register: v.strictObject({ invitation: carrier }),
} as const

export type Command = keyof typeof COMMANDS
export type Params<C extends Command> = v.InferOutput<(typeof COMMANDS)[C]>

export type Contact = {
  name: string
  /** First 20 hex digits of H(identity), to tell namesakes apart. */
  fingerprint: string
  state: "init-sent" | "unconfirmed" | "established" | "recovering"
  verified: boolean
  blocked: boolean
  /** Unix ms. */
  addedAt: number
  unread: number
  queued: number
}

export type Message = {
  /** 32 hex digits. */
  id: string
  seq: number
  contact: string
  mine: boolean
  /** As it was sent; a face that shows it on a terminal cleans it first. */
  text: string
  /** Unix ms by the sender's clock, and by ours when it was stored. */
  sentAt: number
  storedAt: number
  state: "queued" | "broker" | "delivered" | "given-up" | "received"
}

export type Link =
  | { kind: "online" }
  /** Being tried for the first time, or nowhere to connect to. */
  | { kind: "connecting" | "none"; why: string; hint?: string }
  /** `offline` has failed and is tried again, `stopped` is not. The cause can be this laptop's own disk: `code` tells. */
  | { kind: "offline" | "stopped"; code: FaultCode; why: string; hint?: string }

export type Offer =
  /** `at` is the address that belongs behind the code: where newcomers come in. */
  | { by: "code"; code: string; at: string; expiresAt: number }
  | { by: "link"; link: string; expiresAt: number }
  | { by: "file"; file: string; expiresAt: number }

export type Results = {
  status: { name: string; broker: string | null; link: Link; queued: number; dropped: number }
  "catch-up": null
  send: { id: string; state: "queued" | "broker" }
  history: Message[]
  search: Message[]
  inbox: Message[]
  shown: null
  contacts: Contact[]
  rename: Contact
  block: Contact
  forget: null
  verify: { contact: Contact; words: string[]; safetyNumber: string[] }
  "mark-verified": Contact
  "pair-offer": Offer
  "device-offer": Offer
  /** Resolves when the handshake is on disk and its INIT is on the broker; a code also waits for the peer's answer. */
  "pair-answer": { contact: Contact; words: string[]; renamedFrom: string | null; known: boolean }
  "pair-cancel": null
  /** Resolves when the profile has its certificate and is online; the address is where it connects from now on. */
  register: { broker: string; deviceId: string }
}

export type Event =
  | { event: "message"; message: Message }
  /** A message of ours changed its state. */
  | { event: "receipt"; contact: string; id: string; state: Message["state"] }
  | { event: "link"; link: Link }
  | { event: "paired"; contact: Contact; words: string[]; renamedFrom: string | null; known: boolean }
  | { event: "pair-failed"; why: string; hint: string }
  /** A frame was refused: counted, never shown. */
  | { event: "dropped"; total: number }
  /** A line for the conversation that nobody typed. */
  | { event: "notice"; contact: string | null; text: string }

/** What every face talks to: the engine in this process, or the owner of the profile behind its socket. */
export type ChatClient = {
  readonly call: <C extends Command>(command: C, params: Params<C>) => Promise<Results[C]>
  /** Events from now on; the returned function ends it. */
  readonly listen: (onEvent: (event: Event) => void) => () => void
  readonly close: () => Promise<void>
}
