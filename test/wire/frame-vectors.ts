import { toHex, type KemSeed } from "../../src/crypto/bytes.ts"
import { kemKeyPair } from "../../src/crypto/mlkem.ts"
import { encodeFrames } from "../../src/wire/padding.ts"
import { frameRule, type Frame } from "../../src/wire/frame.ts"
import { textDigest } from "../../src/wire/text-digest.ts"
import { asJson } from "../as-json.ts"
import { counting } from "../recorded-random.ts"

const mid = (byte: number) => new Uint8Array(8).fill(byte)

/** What a change is about. */
const subject = {
  author: mid(5),
  id: mid(6),
  digest: new Uint8Array(16).fill(8),
  time: 1_800_000_000_003,
} as const

/** The contents of each frozen frame. */
export const FRAME_EXAMPLES: Record<string, Frame> = {
  hello: {
    kind: "hello",
    name: Buffer.from("Çarol"),
    recoveryBundle: counting(1)(1402),
    ...{ accountId: counting(5)(32), length: 258, head: counting(6)(32), share: counting(7)(32) },
  },
  text: { kind: "text", id: mid(7), time: 1_800_000_000_000, text: Buffer.from("grüße") },
  ack: { kind: "ack", mids: [mid(1), mid(2)] },
  "pq-ek": { kind: "pq-ek", id: 258, encapsulationKey: kemKeyPair(counting(9)(64) as KemSeed) },
  "pq-ct": { kind: "pq-ct", id: 65_535, ciphertext: counting(3)(1088) },
  "recovery-bundle": { kind: "recovery-bundle", bundle: counting(4)(1402) },
  open: { kind: "open", nonce: counting(11)(32) },
  chain: { kind: "chain", accountId: counting(5)(32), first: 0, links: counting(8)(267) },
  "chain-ask": { kind: "chain-ask", accountId: counting(5)(32), first: 258 },
  rejected: { kind: "rejected" },
  number: { kind: "number", number: 66_051 },
  reply: { kind: "reply", author: mid(3), id: mid(4), digest: new Uint8Array(16).fill(5) },
  read: { kind: "read", ids: [mid(4)] },
  typing: { kind: "typing", typing: true },
  "no longer typing": { kind: "typing", typing: false },
  timer: { kind: "timer", seconds: 86_400, setAt: 1_800_000_000_001 },
  moved: { kind: "moved", at: 1_800_000_000_002 },
  again: { kind: "again", numbers: [0, 258] },
  gone: { kind: "gone", reason: "cancelled", numbers: [4_294_967_295] },
  edit: { kind: "edit", ...subject, text: Buffer.from("grüße dich") },
  delete: { kind: "delete", ...subject },
  reaction: { kind: "reaction", ...subject, emoji: Buffer.from("👍🏽") },
  "no reaction": { kind: "reaction", ...subject, emoji: Buffer.alloc(0) },
  "intro-ask": { kind: "intro-ask", account: counting(5)(32), name: Buffer.from("Bøb") },
  "intro-yes": { kind: "intro-yes", account: counting(6)(32), bundle: counting(7)(1402) },
  intro: { kind: "intro", account: counting(8)(32), bundle: counting(9)(1402), name: Buffer.from("Çarol") },
  "superseded-inits": { kind: "superseded-inits", mids: [mid(10), mid(11)] },
  have: { kind: "have", ids: [mid(12), mid(13)] },
  "have nothing": { kind: "have", ids: [] },
  sig: { kind: "sig", signature: new Uint8Array(64).fill(9) },
  resend: { kind: "resend", id: mid(7), time: 1_800_000_000_000, text: Buffer.from("grüße") },
  nop: { kind: "nop" },
  topic: { kind: "topic", mailbox: new Uint8Array(16).fill(9) },
  "topic-ok": { kind: "topic-ok", mailbox: new Uint8Array(16).fill(9) },
}

/** Frames that a reader refuses, in hex. */
const REFUSED = {
  "a NUMBER of three bytes": "100300010203",
  "a REPLY of 33 bytes": "112100030303030303030303030303030303030303030303030303030303030303030303",
  "a READ of nothing": "12010000",
  "a READ that counts two and names one": "120900020404040404040404",
  "TYPING that is neither": "13010002",
  "a TIMER of more than 366 days": "140c0001d3e1010101010101010101",
  "a MOVED in a time beyond 2^53": "150800ffffffffffffffff",
  "an AGAIN of nothing": "16010000",
  "SUPERSEDED_INITS that names seven": `1e390007${"0a".repeat(56)}`,
  "a HAVE of seven": `1f390007${"0a".repeat(56)}`,
  "a RESEND without a NUMBER": "2011000000000000000000000000000000000061",
  "a RESEND with a TEXT":
    "0211000000000000000000000000000000000061201100010101010101010101010101010101016110040003020100",
  "a GONE with a byte more": "17060001ffffffff00",
  "a TEXT of nothing": "0210000000000000000000000000000000000010040003020100",
  "zero bytes that are none": "0e00000001",
  "an EDIT without a text":
    "182800050505050505050506060606060606060808080808080808080808080808080803505c18a301000010040003020100",
  "a DELETE of 39 bytes":
    "192700050505050505050506060606060606060808080808080808080808080808080803505c18a3010010040003020100",
  "a DELETE with a byte more":
    "192900050505050505050506060606060606060808080808080808080808080808080803505c18a30100000010040003020100",
  "a DELETE in a time beyond 2^53":
    "1928000505050505050505060606060606060608080808080808080808080808080808ffffffffffffffff10040003020100",
  "a REACTION of 65 bytes":
    "1a6900050505050505050506060606060606060808080808080808080808080808080803505c18a3010000616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616110040003020100",
  "a TEXT without a NUMBER": "0211000000000000000000000000000000000061",
  "two TEXTs":
    "0211000000000000000000000000000000000061021100010101010101010101010101010101016110040003020100",
  "two NUMBERs": "02110000000000000000000000000000000000611004000302010010040004020100",
  "two frames of one kind": "1301000113010000",
} as const

/** The frames without their padding. */
export function frameBytes(frames: readonly Frame[]): string {
  const padded = encodeFrames(frames)!
  let end = 0
  while (padded[end] !== 0) end += 3 + padded[end + 1]! + 256 * padded[end + 2]!
  return toHex(padded.subarray(0, end))
}

/** Beside a frame that is numbered stands its number [W-50]. */
export function messageOf(frame: Frame): Frame[] {
  return frameRule(frame.kind).numbered ? [frame, { kind: "number", number: 66_051 }] : [frame]
}

export function frameVectors() {
  const messages = Object.entries(FRAME_EXAMPLES).map(([example, frame]) => {
    const frames = messageOf(frame)
    return { example, frames: asJson(frames) as { kind: string }[], bytes: frameBytes(frames) }
  })
  const { text } = FRAME_EXAMPLES
  if (text?.kind !== "text") throw new Error("no text")
  return {
    about:
      "Each frame, frames that a reader refuses, and the digest of the text: clauses W-20 to W-34, W-50 to W-53.",
    messages,
    textDigest: toHex(textDigest(text)),
    refused: REFUSED,
  }
}
