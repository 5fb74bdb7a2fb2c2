import { decode } from "./codec.ts"
import type { Reader } from "./codec.ts"
import {
  bytes,
  flag,
  list,
  oneOf,
  remainingBytes,
  shortBytes,
  time,
  u16,
  u32,
  type Body,
  type Field,
} from "./frame-fields.ts"
import { EMOJI_MAX_BYTES } from "./emoji.ts"
import { ACCOUNT_ID_BYTES, AUTHOR_BYTES, BUNDLE_BYTES, DIGEST_BYTES, MESSAGE_ID_BYTES } from "./sizes.ts"
import { ID_BYTES } from "./topics.ts"
import { ENCAPSULATION_KEY_BYTES, KEM_CIPHERTEXT_BYTES, KEY_BYTES, SIGNATURE_BYTES } from "../crypto/sizes.ts"
import { DAY_S } from "../time-units.ts"

/** The first 8 bytes of a mid name a session message in a receipt [W-23]. */
export const SHORT_MID_BYTES = 8
/** So many ids and numbers are in all lists of one message: each is looked up by its receiver [W-50]. */
export const LIST_MAX = 64
export const NAME_MAX_BYTES = 64
/** So many of its own INITs a side names beside a HELLO: with the longest name they leave room for an id of HAVE [W-37]. */
export const SUPERSEDED_INITS_MAX = 5
/** The longest text: the largest bucket also holds a signature of 67, NUMBER, REPLY and TIMER, 57, and the zero byte [W-22]. */
export const TEXT_MAX_BYTES = 65_276
/** So many ids of the texts that a side has are in its HAVE: with the longest name they fit into an INIT [W-72]. */
export const HAVE_MAX = 6
/** Maximum timer: one year [W-32]. */
export const TIMER_MAX_S = 366 * DAY_S

/** As many links as fit the bucket of 16,384; who wants the rest asks for it [W-56]. */
export const CHAIN_LINKS_MAX_BYTES = 16_000

/** Why a text never comes: a person took it back, it was given up, or its sender does not hold it any more [W-34]. */
export const GONE_REASONS = ["cancelled", "given-up", "not-held"] as const
export type GoneReason = (typeof GONE_REASONS)[number]

const recoveryBundle = bytes("recovery bundle", BUNDLE_BYTES)
const oneTimeBundle = bytes("bundle", BUNDLE_BYTES)
const account = bytes("account id", ACCOUNT_ID_BYTES)
const accountName = remainingBytes("name", NAME_MAX_BYTES)
const mailbox = bytes("mailbox", ID_BYTES)
const mids = list(bytes("mid", SHORT_MID_BYTES), LIST_MAX)
const messageId = bytes("id", MESSAGE_ID_BYTES)
const step = u16("id")
const numbers = list(u32("number"), LIST_MAX)
/** The message that a change is about, and the sender's clock [W-60]. */
const changed = {
  author: bytes("author", AUTHOR_BYTES),
  id: messageId,
  digest: bytes("digest", DIGEST_BYTES),
  time: time("time"),
} as const

const textFields = {
  id: messageId,
  time: time("time"),
  text: remainingBytes("text", TEXT_MAX_BYTES),
} as const

type FrameRow = {
  /** The first byte on the wire. */
  readonly type: number
  /** Whether it changes the conversation. A NUMBER goes with it, so that none is lost unseen [W-50]. */
  readonly numbered: boolean
  /** Whether the receiver sends a receipt. A receipt for a receipt, or for being told to stop, would never end [W-34]. */
  readonly acknowledged: boolean
  /** The body, in order. */
  readonly fields: Readonly<Record<string, FieldCodec>>
}
/** A field of any type. */
type FieldCodec = {
  readonly layout: string
  readonly write: (value: never) => Body | undefined
  readonly read: (reader: Reader) => unknown
}

/** All frames of a session message. The table in SPEC.md is generated from this one. */
export const FRAMES = {
  /** The first frame of either side: its name, which is not checked, a bundle for recovery, its account and its share. */
  hello: {
    type: 0x01,
    numbered: false,
    acknowledged: true,
    fields: {
      name: shortBytes("name", NAME_MAX_BYTES),
      recoveryBundle,
      accountId: account,
      length: u16("chain length"),
      head: bytes("head", ACCOUNT_ID_BYTES),
      share: bytes("share", KEY_BYTES),
    },
  },
  /** `id` is the author's, `time` its clock. The text is not checked. */
  text: {
    type: 0x02,
    numbered: true,
    acknowledged: true,
    fields: textFields,
  },
  /** These messages are on the sender's disk. */
  ack: { type: 0x03, numbered: false, acknowledged: false, fields: { mids } },
  "pq-ek": {
    type: 0x04,
    numbered: false,
    acknowledged: true,
    fields: { id: step, encapsulationKey: bytes("encapsulation key", ENCAPSULATION_KEY_BYTES) },
  },
  "pq-ct": {
    type: 0x05,
    numbered: false,
    acknowledged: true,
    fields: { id: step, ciphertext: bytes("ciphertext", KEM_CIPHERTEXT_BYTES) },
  },
  /** "Send to this mailbox of mine from now on". */
  topic: { type: 0x06, numbered: false, acknowledged: true, fields: { mailbox } },
  /** The answer to `topic`, sent to the new mailbox. */
  "topic-ok": { type: 0x07, numbered: false, acknowledged: true, fields: { mailbox } },
  "recovery-bundle": { type: 0x08, numbered: false, acknowledged: true, fields: { bundle: recoveryBundle } },
  /** The initiator's nonce, to which its share was the commitment. */
  open: { type: 0x09, numbered: false, acknowledged: true, fields: { nonce: bytes("nonce", KEY_BYTES) } },
  /** Links of the sender's account, from a number on. */
  chain: {
    type: 0x0a,
    numbered: false,
    acknowledged: true,
    fields: {
      accountId: account,
      first: u16("first number", 0),
      links: remainingBytes("links", CHAIN_LINKS_MAX_BYTES),
    },
  },
  /** "Send me the links of this account of yours, from this number on". */
  "chain-ask": {
    type: 0x0b,
    numbered: false,
    acknowledged: true,
    fields: { accountId: account, first: u16("first number", 0) },
  },
  /** The words that both people compared are not the same at the sender's side. */
  rejected: { type: 0x0c, numbered: false, acknowledged: false, fields: {} },
  nop: { type: 0x0e, numbered: false, acknowledged: false, fields: {} },
  /** The place of this message among those that change the conversation; the sender counts from 0 in each session. */
  number: { type: 0x10, numbered: false, acknowledged: true, fields: { number: u32("number") } },
  /** The text in the same message answers this message. */
  reply: {
    type: 0x11,
    numbered: false,
    acknowledged: true,
    fields: {
      author: bytes("author", AUTHOR_BYTES),
      id: messageId,
      digest: bytes("digest", DIGEST_BYTES),
    },
  },
  /** These texts of the receiver's were shown to the user. */
  read: { type: 0x12, numbered: false, acknowledged: true, fields: { ids: list(messageId, LIST_MAX) } },
  typing: { type: 0x13, numbered: false, acknowledged: false, fields: { typing: flag("typing") } },
  /** Texts disappear after so many seconds, 0 for never; `setAt` is the setter's clock. */
  timer: {
    type: 0x14,
    numbered: false,
    acknowledged: true,
    fields: { seconds: u32("seconds", TIMER_MAX_S), setAt: time("set at") },
  },
  /** The receiver's own identity moved to another device at this time: this device must stop. */
  moved: { type: 0x15, numbered: false, acknowledged: false, fields: { at: time("time") } },
  /** Numbers that the sender of the frame misses. */
  again: { type: 0x16, numbered: false, acknowledged: false, fields: { numbers } },
  /** Numbers whose messages will never come, and why. */
  gone: {
    type: 0x17,
    numbered: false,
    acknowledged: true,
    fields: { reason: oneOf("reason", GONE_REASONS), numbers },
  },
  /** A message says this now. */
  edit: {
    type: 0x18,
    numbered: true,
    acknowledged: true,
    fields: { ...changed, text: remainingBytes("text", TEXT_MAX_BYTES) },
  },
  /** A message is to be deleted at its receivers, too. */
  delete: { type: 0x19, numbered: true, acknowledged: true, fields: changed },
  /** The sender's reaction to a message; empty when it is taken away. */
  reaction: {
    type: 0x1a,
    numbered: true,
    acknowledged: true,
    fields: { ...changed, emoji: remainingBytes("emoji", EMOJI_MAX_BYTES, 0) },
  },
  /** "May I introduce this account to you?"; the name is what the asker calls it. */
  "intro-ask": { type: 0x1b, numbered: false, acknowledged: true, fields: { account, name: accountName } },
  /** "You may": a bundle which only that account is to answer. */
  "intro-yes": {
    type: 0x1c,
    numbered: false,
    acknowledged: true,
    fields: { account, bundle: oneTimeBundle },
  },
  /** "This account may be answered"; the name is what the introducer calls it. */
  intro: {
    type: 0x1d,
    numbered: false,
    acknowledged: true,
    fields: { account, bundle: oneTimeBundle, name: accountName },
  },
  /** Beside a HELLO: INITs of its sender that no one is to answer any more. */
  "superseded-inits": {
    type: 0x1e,
    numbered: false,
    acknowledged: true,
    fields: { mids: list(bytes("mid", SHORT_MID_BYTES), SUPERSEDED_INITS_MAX) },
  },
  /** Beside the HELLO of a recovery: the newest texts of the receiver that the sender has. */
  have: { type: 0x1f, numbered: false, acknowledged: true, fields: { ids: list(messageId, HAVE_MAX, 0) } },
  /** A text that the receiver had acknowledged and has no more, as its TEXT was. */
  resend: { type: 0x20, numbered: true, acknowledged: true, fields: textFields },
  /** First in a message to a group: its sender's signature of the rest. */
  sig: {
    type: 0x21,
    numbered: false,
    acknowledged: false,
    fields: { signature: bytes("signature", SIGNATURE_BYTES) },
  },
} as const satisfies Record<string, FrameRow>

export type FrameKind = keyof typeof FRAMES

type Values<Fields> = {
  readonly [Name in keyof Fields]: Fields[Name] extends Field<infer Value> ? Value : never
}
type KnownFrame = {
  [Kind in FrameKind]: { readonly kind: Kind } & Values<(typeof FRAMES)[Kind]["fields"]>
}[FrameKind]

export type Frame =
  | KnownFrame
  /** A type below 0x80 that this version does not know: the user is notified [W-27]. */
  | { readonly kind: "unknown"; readonly type: number }

const FIELDS = new Map<string, readonly (readonly [name: string, field: FieldCodec])[]>(
  Object.entries(FRAMES).map(([kind, { fields }]) => [kind, Object.entries<FieldCodec>(fields)]),
)
const UNKNOWN = { numbered: false, acknowledged: true } as const

/** How a receiver treats a frame of this kind. */
export function frameRule(kind: Frame["kind"]): Pick<FrameRow, "numbered" | "acknowledged"> {
  return kind === "unknown" ? UNKNOWN : FRAMES[kind]
}

/** The fields of a body in order, or undefined if one is outside its bounds. */
export function encodeBody(frame: Frame): Body | undefined {
  const fields = FIELDS.get(frame.kind)
  if (fields === undefined) return undefined
  const values: Readonly<Record<string, unknown>> = frame
  const body: Uint8Array[] = []
  for (const [name, field] of fields) {
    const parts = field.write(values[name] as never)
    if (parts === undefined) return undefined
    body.push(...parts)
  }
  return body
}

/** The fields of a body of this kind, or undefined unless `encodeBody` would write the same bytes [W-2]. */
export function decodeBody(kind: FrameKind, body: Uint8Array): Frame | undefined {
  return decode(body, (reader) => {
    const frame: Record<string, unknown> = { kind }
    for (const [name, field] of FIELDS.get(kind) ?? []) frame[name] = field.read(reader)
    return frame as Frame
  })
}
