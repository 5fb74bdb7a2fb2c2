import * as v from "valibot"

import { FAULT_CODES } from "../errors.ts"

/** A name longer than this fits no prompt; 64 bytes travel in HELLO. */
const NAME_MAX = 64
/** A pasted armoured bundle is about 2 kB, a link under 300 characters. */
const CARRIER_MAX = 4096
/** `TEXT_MAX_BYTES` of wire/frame.ts, which no face should have to load. */
const TEXT_BYTES_MAX = 65_367
const PAGE_MAX = 10_000
/** As long as a line that somebody types. */
const WORDS_MAX = 1024
/** Whoever waits longer for one message asks again: a timer of Node holds 24 days. */
const TIMEOUT_MS_MAX = 7 * 24 * 60 * 60 * 1000
/** A passphrase file has at most as many bytes. */
const PASSPHRASE_MAX = 1024
/** 32 bytes as base64url have 43 characters. */
const TOKEN_MAX = 64

export const nothing = v.null()
export const empty = v.strictObject({})
export const name = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_MAX))
export const text = v.pipe(v.string(), v.maxLength(TEXT_BYTES_MAX))
export const words = v.pipe(v.string(), v.maxLength(WORDS_MAX))
export const limit = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(PAGE_MAX))
export const carrier = v.pipe(v.string(), v.maxLength(CARRIER_MAX))
export const passphrase = v.pipe(v.string(), v.maxLength(PASSPHRASE_MAX))
export const token = v.pipe(v.string(), v.maxLength(TOKEN_MAX))
export const timeoutMs = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TIMEOUT_MS_MAX))
export const count = v.pipe(v.number(), v.integer(), v.minValue(0))
export const seq = v.pipe(count, v.description("counts what is stored, in order"))
export const wordCount = v.picklist([2, 3])
export const way = v.picklist(["code", "link", "file"])
const moment = v.pipe(v.number(), v.description("Unix time in ms"))
export const messageId = v.pipe(v.string(), v.description("32 hex digits"))

export const contact = v.strictObject({
  name: v.string(),
  fingerprint: v.pipe(
    v.string(),
    v.description("first 20 hex digits of H(identity), to tell namesakes apart"),
  ),
  state: v.picklist(["init-sent", "unconfirmed", "established", "recovering"]),
  verified: v.boolean(),
  blocked: v.boolean(),
  addedAt: moment,
  unread: count,
  queued: count,
})

export const messageState = v.picklist([
  "queued",
  "broker",
  "delivered",
  "read",
  "given-up",
  "cancelled",
  "received",
])

export const message = v.strictObject({
  id: messageId,
  seq,
  contact: v.string(),
  mine: v.boolean(),
  text: v.pipe(v.string(), v.description("as it was sent: whoever shows it on a terminal cleans it first")),
  sentAt: v.pipe(moment, v.description("by the sender's clock, Unix time in ms")),
  storedAt: v.pipe(moment, v.description("when it was stored here, Unix time in ms")),
  state: messageState,
})

const why = { why: v.string(), hint: v.exactOptional(v.string()) }

export const link = v.variant("kind", [
  v.strictObject({ kind: v.literal("online") }),
  v.strictObject({
    kind: v.pipe(
      v.picklist(["connecting", "none"]),
      v.description("being tried for the first time, or nowhere to connect to"),
    ),
    ...why,
  }),
  v.strictObject({
    kind: v.pipe(
      v.picklist(["offline", "stopped"]),
      v.description("has failed and is tried again, or is not: the cause may be this laptop's own disk"),
    ),
    code: v.picklist(FAULT_CODES),
    ...why,
  }),
])

export const status = v.strictObject({
  name: v.string(),
  broker: v.nullable(v.string()),
  link,
  queued: count,
  dropped: count,
  locked: v.pipe(
    v.boolean(),
    v.description("nothing is sent or received, and what else is told is as it was when they were locked"),
  ),
})

export const sent = v.strictObject({
  id: messageId,
  state: v.picklist(["queued", "broker", "delivered", "read", "given-up"]),
})

export const offer = v.variant("by", [
  v.strictObject({
    by: v.literal("code"),
    code: v.string(),
    at: v.pipe(
      v.string(),
      v.description("the address that belongs behind the code: where newcomers come in"),
    ),
    expiresAt: moment,
  }),
  v.strictObject({ by: v.literal("link"), link: v.string(), expiresAt: moment }),
  v.strictObject({ by: v.literal("file"), file: v.string(), expiresAt: moment }),
])

export const paired = v.strictObject({
  contact,
  words: v.array(v.string()),
  renamedFrom: v.nullable(v.string()),
  known: v.boolean(),
})

export const comparison = v.strictObject({
  contact,
  words: v.array(v.string()),
  safetyNumber: v.array(v.string()),
})

export const membership = v.strictObject({ broker: v.string(), deviceId: v.string() })
