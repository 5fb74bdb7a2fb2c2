import { decodeBody, encodeBody, FRAMES, type Frame, type FrameKind } from "./frame.ts"
import { isOneMessage } from "./one-message.ts"

/** Sizes of a session message on the wire; an observer learns nothing else about a text's length [W-20]. */
export const BUCKETS = [256, 512, 1024, 2048, 4096, 16384, 65536] as const
/** What a session message adds to its padded frames: tag 16, nonce 24, sealed header 60, Poly1305 tag 16. */
export const MESSAGE_OVERHEAD = 116

/** Type and length of a frame, before its body. */
export const FRAME_HEADER_BYTES = 3
/** A frame has three bytes at least, and each is read: more than a later version would put into one message [W-50]. */
const FRAMES_MAX = 64

const KINDS = new Map<number, FrameKind>(
  Object.entries(FRAMES).map(([kind, { type }]) => [type, kind as FrameKind] as const),
)

/** A receiver ignores frames of unknown types from here on [W-27]. */
const OPTIONAL_TYPE = 0x80

/**
 * Frames, a zero byte, and zeros up to the smallest bucket that holds them, less `MESSAGE_OVERHEAD` [W-20]. Undefined
 * when no bucket holds them, a field is outside its bounds, or they cannot be one message [W-50]; an `unknown` frame
 * cannot be written.
 * `before` zero bytes come first, as room for what the caller writes there.
 */
export function encodeFrames(frames: readonly Frame[], before = 0): Uint8Array | undefined {
  if (!isOneMessage(frames)) return undefined
  const parts: Uint8Array[] = []
  for (const frame of frames) {
    const body = encodeBody(frame)
    if (body === undefined || frame.kind === "unknown") return undefined
    parts.push(frameHeader(FRAMES[frame.kind].type, lengthOf(body)), ...body)
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

/**
 * The frames of padded bytes, without those of unknown types from 0x80 on; undefined unless they are encoded as in [W-20]
 * and can be one message [W-50].
 */
export function decodeFrames(padded: Uint8Array): Frame[] | undefined {
  const frames = decodeAll(padded)
  return frames !== undefined && isOneMessage(frames) ? frames : undefined
}

function decodeAll(padded: Uint8Array): Frame[] | undefined {
  const frames: Frame[] = []
  let count = 0
  for (let offset = 0; ;) {
    const type = padded[offset]
    if (type === undefined) return undefined
    if (type === 0) return isPadding(padded, offset) ? frames : undefined
    if (++count > FRAMES_MAX) return undefined
    const length = (padded[offset + 1] ?? 0) + 256 * (padded[offset + 2] ?? 0)
    const end = offset + FRAME_HEADER_BYTES + length
    if (end > padded.length) return undefined
    const frame = decodeFrame(type, padded.subarray(offset + FRAME_HEADER_BYTES, end))
    if (frame !== undefined) frames.push(frame)
    else if (type < OPTIONAL_TYPE) return undefined
    offset = end
  }
}

function decodeFrame(type: number, body: Uint8Array): Frame | undefined {
  const kind = KINDS.get(type)
  if (kind !== undefined) return decodeBody(kind, body)
  return type < OPTIONAL_TYPE ? { kind: "unknown", type } : undefined
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
