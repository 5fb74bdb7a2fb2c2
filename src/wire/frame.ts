import { decode, littleEndian } from "./codec.ts"
import type { Reader } from "./codec.ts"

/** Sizes of a session message on the wire; nothing else tells an observer how long a text was [W-20]. */
export const BUCKETS = [256, 512, 1024, 2048, 4096, 16384, 65536] as const
/** What a session message adds to its padded frames: tag 16, nonce 24, sealed header 60, Poly1305 tag 16. */
export const MESSAGE_OVERHEAD = 116
/** First 8 bytes of a message id name the message on the wire [W-23]. */
export const SHORT_MID_BYTES = 8
/** As many as fit the smallest bucket four times over; one frame stays far below a kilobyte [W-23]. */
export const ACK_MAX = 64
export const NAME_MAX_BYTES = 64
/** Length of a bundle as the session room writes it [S-2]. */
const RECOVERY_BUNDLE_BYTES = 1402
const MAILBOX_BYTES = 16
const ENCAPSULATION_KEY_BYTES = 1184
const KEM_CIPHERTEXT_BYTES = 1088

const FRAME_HEADER_BYTES = 3
const TEXT_HEADER_BYTES = 16
/** The longest text that the largest bucket holds in one TEXT frame: 65,400 [W-22]. */
export const TEXT_MAX_BYTES = 65536 - MESSAGE_OVERHEAD - 1 - FRAME_HEADER_BYTES - TEXT_HEADER_BYTES

/** What one session message says; byte strings are of the lengths that [W-21] to [W-26] give. */
export type Frame =
  /** First words of either side: its name (1 to 64 bytes of UTF-8, unchecked) and a bundle to recover with. */
  | { readonly kind: "hello"; readonly name: Uint8Array; readonly recoveryBundle: Uint8Array }
  /** `time` is the sender's clock in unix ms; `replyTo` a short message id; `text` 1 to 65,400 bytes, unchecked. */
  | {
      readonly kind: "text"
      readonly time: number
      readonly replyTo: Uint8Array | undefined
      readonly text: Uint8Array
    }
  /** Short message ids, 1 to 64 of them, that are on the sender's disk. */
  | { readonly kind: "ack"; readonly mids: readonly Uint8Array[] }
  | { readonly kind: "pq-ek"; readonly id: number; readonly encapsulationKey: Uint8Array }
  | { readonly kind: "pq-ct"; readonly id: number; readonly ciphertext: Uint8Array }
  /** "Send to this mailbox of mine from now on", and the answer, given there. */
  | { readonly kind: "topic"; readonly mailbox: Uint8Array }
  | { readonly kind: "topic-ok"; readonly mailbox: Uint8Array }
  | { readonly kind: "recovery-bundle"; readonly bundle: Uint8Array }
  | { readonly kind: "nop" }
  /** A type below 0x80 that this version does not know: the user is told [W-27]. */
  | { readonly kind: "unknown"; readonly type: number }

const TYPE = {
  hello: 0x01,
  text: 0x02,
  ack: 0x03,
  "pq-ek": 0x04,
  "pq-ct": 0x05,
  topic: 0x06,
  "topic-ok": 0x07,
  "recovery-bundle": 0x08,
  nop: 0x0e,
} as const

/** Types from here on may be left out by who does not know them [W-27]. */
const OPTIONAL_TYPE = 0x80
const NO_REPLY = new Uint8Array(SHORT_MID_BYTES)

/**
 * Frames, a zero byte, and zeros up to the smallest bucket that holds them, less `MESSAGE_OVERHEAD` [W-20]. Undefined
 * when no bucket holds them or a field is outside its bounds; an `unknown` frame cannot be written.
 * `before` zero bytes stand in front, for what is to come there.
 */
export function encodeFrames(frames: readonly Frame[], before = 0): Uint8Array | undefined {
  const parts: Uint8Array[] = []
  for (const frame of frames) {
    const body = encodeBody(frame)
    if (body === undefined || frame.kind === "unknown") return undefined
    parts.push(frameHeader(TYPE[frame.kind], lengthOf(body)), ...body)
  }
  const size = paddedSize(lengthOf(parts))
  if (size === undefined) return undefined
  const bytes = new Uint8Array(before + size)
  let offset = before
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

function frameHeader(type: number, length: number): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES)
  header[0] = type
  header[1] = length & 0xff
  header[2] = length >> 8
  return header
}

function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0
  for (const part of parts) length += part.length
  return length
}

/** The frames of padded bytes, without those of unknown types from 0x80 on; undefined unless written as [W-20] says. */
export function decodeFrames(padded: Uint8Array): Frame[] | undefined {
  const frames: Frame[] = []
  for (let offset = 0; ;) {
    const type = padded[offset]
    if (type === undefined) return undefined
    if (type === 0) return isPadding(padded, offset) ? frames : undefined
    const length = (padded[offset + 1] ?? 0) + 256 * (padded[offset + 2] ?? 0)
    const end = offset + FRAME_HEADER_BYTES + length
    if (end > padded.length) return undefined
    const frame = decodeBody(type, padded.subarray(offset + FRAME_HEADER_BYTES, end))
    if (frame !== undefined) frames.push(frame)
    else if (type < OPTIONAL_TYPE) return undefined
    offset = end
  }
}

/** The smallest bucket less `MESSAGE_OVERHEAD` that holds `length` bytes of frames and the zero byte after them. */
function paddedSize(length: number): number | undefined {
  const bucket = BUCKETS.find((size) => size - MESSAGE_OVERHEAD > length)
  return bucket === undefined ? undefined : bucket - MESSAGE_OVERHEAD
}

function isPadding(padded: Uint8Array, from: number): boolean {
  if (padded.length !== paddedSize(from)) return false
  for (let at = from; at < padded.length; at += 1) if (padded[at] !== 0) return false
  return true
}

/** The fields of a body in order, or undefined where one is outside its bounds. */
type Body = readonly Uint8Array[]

function encodeBody(frame: Frame): Body | undefined {
  switch (frame.kind) {
    case "hello":
      return encodeHello(frame.name, frame.recoveryBundle)
    case "text":
      return encodeText(frame.time, frame.replyTo ?? NO_REPLY, frame.text)
    case "ack":
      return encodeAck(frame.mids)
    case "pq-ek":
      return encodeNumbered(frame.id, frame.encapsulationKey, ENCAPSULATION_KEY_BYTES)
    case "pq-ct":
      return encodeNumbered(frame.id, frame.ciphertext, KEM_CIPHERTEXT_BYTES)
    case "topic":
    case "topic-ok":
      return encodeSized(frame.mailbox, MAILBOX_BYTES)
    case "recovery-bundle":
      return encodeSized(frame.bundle, RECOVERY_BUNDLE_BYTES)
    case "nop":
      return []
    case "unknown":
      return undefined
  }
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
  if (!Number.isSafeInteger(time) || time < 0) return undefined
  if (replyTo.length !== SHORT_MID_BYTES || text.length === 0 || text.length > TEXT_MAX_BYTES)
    return undefined
  return [littleEndian(time, 8), replyTo, text]
}

function encodeAck(mids: readonly Uint8Array[]): Body | undefined {
  if (mids.length === 0 || mids.length > ACK_MAX) return undefined
  if (mids.some((mid) => mid.length !== SHORT_MID_BYTES)) return undefined
  return [Uint8Array.of(mids.length), ...mids]
}

function encodeNumbered(id: number, key: Uint8Array, length: number): Body | undefined {
  if (key.length !== length || id < 1 || id > 0xffff) return undefined
  return [littleEndian(id, 2), key]
}

function decodeBody(type: number, body: Uint8Array): Frame | undefined {
  switch (type) {
    case TYPE.hello:
      return decode(body, readHello)
    case TYPE.text:
      return decode(body, readText)
    case TYPE.ack:
      return decode(body, readAck)
    case TYPE["pq-ek"]:
      return decode(body, (reader) => ({
        kind: "pq-ek",
        id: readStepId(reader),
        encapsulationKey: reader.bytes(ENCAPSULATION_KEY_BYTES),
      }))
    case TYPE["pq-ct"]:
      return decode(body, (reader) => ({
        kind: "pq-ct",
        id: readStepId(reader),
        ciphertext: reader.bytes(KEM_CIPHERTEXT_BYTES),
      }))
    case TYPE.topic:
      return decode(body, (reader) => ({ kind: "topic", mailbox: reader.bytes(MAILBOX_BYTES) }))
    case TYPE["topic-ok"]:
      return decode(body, (reader) => ({ kind: "topic-ok", mailbox: reader.bytes(MAILBOX_BYTES) }))
    case TYPE["recovery-bundle"]:
      return decode(body, (reader) => ({
        kind: "recovery-bundle",
        bundle: reader.bytes(RECOVERY_BUNDLE_BYTES),
      }))
    case TYPE.nop:
      return decode(body, () => ({ kind: "nop" }))
    default:
      return type < OPTIONAL_TYPE ? { kind: "unknown", type } : undefined
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
  if (text.length === 0) reader.refuse()
  return { kind: "text", time, replyTo: replyTo.every((byte) => byte === 0) ? undefined : replyTo, text }
}

function readAck(reader: Reader): Frame {
  const count = reader.u8()
  if (count === 0 || count > ACK_MAX) reader.refuse()
  const mids = reader.spoilt ? [] : Array.from({ length: count }, () => reader.bytes(SHORT_MID_BYTES))
  return { kind: "ack", mids }
}

function readStepId(reader: Reader): number {
  const id = reader.u16()
  if (id === 0) reader.refuse()
  return id
}
