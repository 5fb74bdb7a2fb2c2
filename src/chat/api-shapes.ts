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

export const nothing = v.null()
export const empty = v.strictObject({})
export const name = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_MAX))
export const text = v.pipe(v.string(), v.maxLength(TEXT_BYTES_MAX))
export const words = v.pipe(v.string(), v.maxLength(WORDS_MAX))
export const limit = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(PAGE_MAX))
export const carrier = v.pipe(v.string(), v.maxLength(CARRIER_MAX))
/** PATH_MAX of Linux. */
export const path = v.pipe(v.string(), v.minLength(1), v.maxLength(4096))
/** In bytes as in keystore/lock-key.ts; a backup that nothing protects is none. */
export const passphrase = v.pipe(v.string(), v.minLength(1), v.maxBytes(1024))
export const timeoutMs = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TIMEOUT_MS_MAX))
/** Counts what is stored, in order. */
export const seq = v.pipe(v.number(), v.integer(), v.minValue(0))
export const count = v.pipe(v.number(), v.integer(), v.minValue(0))
export const wordCount = v.picklist([2, 3])
export const way = v.picklist(["code", "link", "file"])
/** Unix ms. */
const moment = v.number()
export const messageId = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "a message id has 32 hex digits"))
/** A year, as `TIMER_MAX_S` of wire/frame.ts. */
const TIMER_MAX_S = 366 * 24 * 60 * 60
export const timerSeconds = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TIMER_MAX_S))
/** Receipts that wait longer let their sender believe that nothing arrived. */
const RECEIPT_DELAY_MAX_MS = 60_000
export const receiptDelayMs = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(RECEIPT_DELAY_MAX_MS))

export const contact = v.strictObject({
  name: v.string(),
  /** First 20 hex digits of H(identity), to tell namesakes apart. */
  fingerprint: v.string(),
  state: v.picklist(["init-sent", "unconfirmed", "established", "recovering"]),
  verified: v.boolean(),
  blocked: v.boolean(),
  /** Another identity took this name over, and nobody has compared it yet: nothing is sent. */
  keyChangedAt: v.nullable(moment),
  /** They talk with us on another device of ours since then: nothing is sent. */
  movedAt: v.nullable(moment),
  readReceipts: v.boolean(),
  typing: v.boolean(),
  receiptDelayMs,
  /** Seconds until messages disappear, 0 for never. */
  timer: timerSeconds,
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
  /** A line is what happened to the conversation; nobody wrote it. */
  kind: v.picklist(["text", "line"]),
  /** As it was sent; a face that shows it on a terminal cleans it first. */
  text: v.string(),
  /** By the sender's clock, and by ours when it was stored. */
  sentAt: moment,
  storedAt: moment,
  state: messageState,
  /** False for what came under a new key that nobody has compared. */
  trusted: v.boolean(),
  timer: timerSeconds,
  /** Null while its time has not begun. */
  expiresAt: v.nullable(moment),
})

/** A message of ours that the peer has not acknowledged. */
export const waiting = v.strictObject({
  contact: v.string(),
  id: messageId,
  text: v.string(),
  state: messageState,
  /** How often it was published, and when it is published next. */
  attempts: count,
  nextAt: moment,
  createdAt: moment,
  why: v.string(),
})

const why = { why: v.string(), hint: v.exactOptional(v.string()) }

export const link = v.variant("kind", [
  v.strictObject({ kind: v.literal("online") }),
  /** Being tried for the first time, or nowhere to connect to. */
  v.strictObject({ kind: v.picklist(["connecting", "none"]), ...why }),
  /** `offline` has failed and is tried again, `stopped` is not. The cause can be this laptop's own disk: `code` tells. */
  v.strictObject({ kind: v.picklist(["offline", "stopped"]), code: v.picklist(FAULT_CODES), ...why }),
])

export const status = v.strictObject({
  name: v.string(),
  broker: v.nullable(v.string()),
  link,
  queued: count,
  dropped: count,
  /** The keys are locked: nothing is sent or received, and the rest is as it was when they were. */
  locked: v.boolean(),
})

export const sent = v.strictObject({
  id: messageId,
  state: v.picklist(["queued", "broker", "delivered", "read", "given-up"]),
})

export const offer = v.variant("by", [
  /** `at` is the address that belongs behind the code: where newcomers come in. */
  v.strictObject({ by: v.literal("code"), code: v.string(), at: v.string(), expiresAt: moment }),
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

export const exported = v.strictObject({ contacts: count, messages: count })
