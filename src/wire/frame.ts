import { decode, littleEndian } from "./codec.ts"
import type { Reader } from "./codec.ts"

/** First 8 bytes of a message id name the message on the wire [W-23]. */
export const SHORT_MID_BYTES = 8
/** As many ids or numbers as fit the smallest bucket four times over; one frame stays far below a kilobyte [W-23]. */
export const LIST_MAX = 64
export const NAME_MAX_BYTES = 64
/** The longest text: beside it the largest bucket holds NUMBER, ORIGINAL and TIMER, 33 bytes, and the zero byte [W-22]. */
export const TEXT_MAX_BYTES = 65_367
/** A year: who wants texts to stay longer wants no timer [W-32]. */
export const TIMER_MAX_S = 366 * 24 * 60 * 60
/** Length of a bundle as the session room writes it [S-2]. */
const RECOVERY_BUNDLE_BYTES = 1402
const MAILBOX_BYTES = 16
const ENCAPSULATION_KEY_BYTES = 1184
const KEM_CIPHERTEXT_BYTES = 1088
const U32_MAX = 0xffff_ffff
const NO_REPLY = new Uint8Array(SHORT_MID_BYTES)

/** What one session message says; byte strings are of the lengths that [W-21] to [W-34] give. */
export type Frame =
  /** First words of either side: its name (1 to 64 bytes of UTF-8, unchecked) and a bundle to recover with. */
  | { readonly kind: "hello"; readonly name: Uint8Array; readonly recoveryBundle: Uint8Array }
  /** `time` is the sender's clock in unix ms; `replyTo` a short message id; `text` 1 to 65,367 bytes, unchecked. */
  | {
      readonly kind: "text"
      readonly time: number
      readonly replyTo: Uint8Array | undefined
      readonly text: Uint8Array
    }
  /** Short message ids, 1 to 64 of them: on the sender's disk (`ack`), before a person's eyes (`read`). */
  | { readonly kind: "ack" | "read"; readonly mids: readonly Uint8Array[] }
  | { readonly kind: "pq-ek"; readonly id: number; readonly encapsulationKey: Uint8Array }
  | { readonly kind: "pq-ct"; readonly id: number; readonly ciphertext: Uint8Array }
  /** "Send to this mailbox of mine from now on", and the answer, given there. */
  | { readonly kind: "topic"; readonly mailbox: Uint8Array }
  | { readonly kind: "topic-ok"; readonly mailbox: Uint8Array }
  | { readonly kind: "recovery-bundle"; readonly bundle: Uint8Array }
  | { readonly kind: "nop" }
  /** Which text of this session the message holds, counted from 0 by its sender. */
  | { readonly kind: "number"; readonly number: number }
  /** The text was sent before, in an earlier session, under this short message id. */
  | { readonly kind: "original"; readonly mid: Uint8Array }
  | { readonly kind: "typing"; readonly typing: boolean }
  /** Texts disappear after so many seconds, 0 for never; `setAt` is the setter's clock in unix ms. */
  | { readonly kind: "timer"; readonly seconds: number; readonly setAt: number }
  /** The identity lives on another device since then, unix ms; whoever still uses it here stops. */
  | { readonly kind: "moved"; readonly at: number }
  /** Numbers of texts, 1 to 64 of them: missing at whoever says so (`again`), or never to come (`gone`). */
  | { readonly kind: "again" | "gone"; readonly numbers: readonly number[] }
  /** A type below 0x80 that this version does not know: the user is told [W-27]. */
  | { readonly kind: "unknown"; readonly type: number }

/** First byte of each kind on the wire. */
export const TYPE = {
  hello: 0x01,
  text: 0x02,
  ack: 0x03,
  "pq-ek": 0x04,
  "pq-ct": 0x05,
  topic: 0x06,
  "topic-ok": 0x07,
  "recovery-bundle": 0x08,
  nop: 0x0e,
  number: 0x10,
  original: 0x11,
  read: 0x12,
  typing: 0x13,
  timer: 0x14,
  moved: 0x15,
  again: 0x16,
  gone: 0x17,
} as const

export type FrameKind = keyof typeof TYPE

/** The fields of a body in order, or undefined where one is outside its bounds. */
type Body = readonly Uint8Array[]

export function encodeBody(frame: Frame): Body | undefined {
  switch (frame.kind) {
    case "hello":
      return encodeHello(frame.name, frame.recoveryBundle)
    case "text":
      return encodeText(frame.time, frame.replyTo ?? NO_REPLY, frame.text)
    case "ack":
    case "read":
      return encodeMids(frame.mids)
    case "pq-ek":
      return encodeStep(frame.id, frame.encapsulationKey, ENCAPSULATION_KEY_BYTES)
    case "pq-ct":
      return encodeStep(frame.id, frame.ciphertext, KEM_CIPHERTEXT_BYTES)
    case "topic":
    case "topic-ok":
      return encodeSized(frame.mailbox, MAILBOX_BYTES)
    case "recovery-bundle":
      return encodeSized(frame.bundle, RECOVERY_BUNDLE_BYTES)
    case "number":
      return encodeNumbers([frame.number])
    case "original":
      return encodeSized(frame.mid, SHORT_MID_BYTES)
    case "typing":
      return [Uint8Array.of(Number(frame.typing))]
    case "timer":
      return encodeTimer(frame.seconds, frame.setAt)
    case "moved":
      return isTime(frame.at) ? [littleEndian(frame.at, 8)] : undefined
    case "again":
    case "gone":
      return encodeCounted(frame.numbers, encodeNumbers(frame.numbers))
    case "nop":
      return []
    case "unknown":
      return undefined
  }
}

function isTime(time: number): boolean {
  return Number.isSafeInteger(time) && time >= 0
}

function encodeSized(bytes: Uint8Array, length: number): Body | undefined {
  return bytes.length === length ? [bytes] : undefined
}

function encodeHello(name: Uint8Array, recoveryBundle: Uint8Array): Body | undefined {
  if (name.length === 0 || name.length > NAME_MAX_BYTES) return undefined
  if (recoveryBundle.length !== RECOVERY_BUNDLE_BYTES) return undefined
  return [Uint8Array.of(name.length), name, recoveryBundle]
}

function encodeText(time: number, replyTo: Uint8Array, text: Uint8Array): Body | undefined {
  if (!isTime(time)) return undefined
  if (replyTo.length !== SHORT_MID_BYTES || text.length === 0 || text.length > TEXT_MAX_BYTES)
    return undefined
  return [littleEndian(time, 8), replyTo, text]
}

function encodeMids(mids: readonly Uint8Array[]): Body | undefined {
  const fits = mids.every((mid) => mid.length === SHORT_MID_BYTES)
  return encodeCounted(mids, fits ? mids : undefined)
}

function encodeNumbers(numbers: readonly number[]): Body | undefined {
  const fits = numbers.every((number) => Number.isInteger(number) && number >= 0 && number <= U32_MAX)
  return fits ? numbers.map((number) => littleEndian(number, 4)) : undefined
}

/** How many, and then each. */
function encodeCounted(items: readonly unknown[], fields: Body | undefined): Body | undefined {
  if (fields === undefined || items.length === 0 || items.length > LIST_MAX) return undefined
  return [Uint8Array.of(items.length), ...fields]
}

function encodeStep(id: number, key: Uint8Array, length: number): Body | undefined {
  if (key.length !== length || id < 1 || id > 0xffff) return undefined
  return [littleEndian(id, 2), key]
}

function encodeTimer(seconds: number, setAt: number): Body | undefined {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > TIMER_MAX_S || !isTime(setAt)) return undefined
  return [littleEndian(seconds, 4), littleEndian(setAt, 8)]
}

/** What a body of this kind says, or undefined unless it is written as `encodeBody` would write it [W-2]. */
export function decodeBody(kind: FrameKind, body: Uint8Array): Frame | undefined {
  return decode(body, (reader) => readBody(kind, reader))
}

function readBody(kind: FrameKind, reader: Reader): Frame {
  switch (kind) {
    case "hello":
      return readHello(reader)
    case "text":
      return readText(reader)
    case "ack":
    case "read":
      return { kind, mids: readList(reader, () => reader.bytes(SHORT_MID_BYTES)) }
    case "pq-ek":
      return { kind, id: readStepId(reader), encapsulationKey: reader.bytes(ENCAPSULATION_KEY_BYTES) }
    case "pq-ct":
      return { kind, id: readStepId(reader), ciphertext: reader.bytes(KEM_CIPHERTEXT_BYTES) }
    case "topic":
    case "topic-ok":
      return { kind, mailbox: reader.bytes(MAILBOX_BYTES) }
    case "recovery-bundle":
      return { kind, bundle: reader.bytes(RECOVERY_BUNDLE_BYTES) }
    case "number":
      return { kind, number: reader.u32() }
    case "original":
      return { kind, mid: reader.bytes(SHORT_MID_BYTES) }
    case "typing":
      return { kind, typing: readAtMost(reader, reader.u8(), 1) === 1 }
    case "timer":
      return { kind, seconds: readAtMost(reader, reader.u32(), TIMER_MAX_S), setAt: reader.u64() }
    case "moved":
      return { kind, at: reader.u64() }
    case "again":
    case "gone":
      return { kind, numbers: readList(reader, () => reader.u32()) }
    case "nop":
      return { kind }
  }
}

function readHello(reader: Reader): Frame {
  const length = reader.u8()
  if (length === 0 || length > NAME_MAX_BYTES) reader.refuse()
  return { kind: "hello", name: reader.bytes(length), recoveryBundle: reader.bytes(RECOVERY_BUNDLE_BYTES) }
}

function readText(reader: Reader): Frame {
  const time = reader.u64()
  const replyTo = reader.bytes(SHORT_MID_BYTES)
  const text = reader.rest()
  if (text.length === 0 || text.length > TEXT_MAX_BYTES) reader.refuse()
  return { kind: "text", time, replyTo: replyTo.every((byte) => byte === 0) ? undefined : replyTo, text }
}

function readList<Item>(reader: Reader, read: () => Item): Item[] {
  const count = reader.u8()
  if (count === 0 || count > LIST_MAX) reader.refuse()
  return reader.spoilt ? [] : Array.from({ length: count }, read)
}

function readStepId(reader: Reader): number {
  const id = reader.u16()
  if (id === 0) reader.refuse()
  return id
}

function readAtMost(reader: Reader, value: number, max: number): number {
  if (value > max) reader.refuse()
  return value
}
