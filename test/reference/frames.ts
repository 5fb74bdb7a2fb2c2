import { concat, Fields, hex, int, toHex } from "./bytes.ts"
import { pad } from "./ratchet.ts"

// Bodies of frames, from the table of [W-20] and the clauses after it. Values are JSON: bytes in hex.

type Value = string | number | boolean | null | readonly Value[]
type Codec = { readonly write: (value: Value) => Uint8Array; readonly read: (fields: Fields) => Value }
type Body = readonly (readonly [name: string, codec: Codec])[]

function whole(length: number, min = 0, max = Math.min(256 ** length - 1, Number.MAX_SAFE_INTEGER)): Codec {
  return {
    write: (value) => int(Number(value), length),
    read: (fields) => {
      const value = fields.int(length)
      if (value < min || value > max) throw new Error("a number out of its bounds")
      return value
    },
  }
}

function bytes(length: number): Codec {
  return { write: (value) => hex(String(value)), read: (fields) => toHex(fields.take(length)) }
}

/** After its length, one byte. */
function short(max: number): Codec {
  return {
    write: (value) => concat(int(String(value).length / 2, 1), hex(String(value))),
    read: (fields) => {
      const length = fields.int(1)
      if (length < 1 || length > max) throw new Error("a length out of its bounds")
      return toHex(fields.take(length))
    },
  }
}

/** To the end of the body. */
function rest(min: number, max: number): Codec {
  return {
    write: (value) => hex(String(value)),
    read: (fields) => {
      if (fields.left < min || fields.left > max) throw new Error("a length out of its bounds")
      return toHex(fields.rest())
    },
  }
}

const flag: Codec = {
  write: (value) => int(value === true ? 1 : 0, 1),
  read: (fields) => {
    const value = fields.int(1)
    if (value > 1) throw new Error("neither 0 nor 1")
    return value === 1
  },
}

/** One of these words, by its number from 1 on. */
function word(...words: readonly string[]): Codec {
  return {
    write: (value) => int(words.indexOf(String(value)) + 1, 1),
    read: (fields) => {
      const found = words[fields.int(1) - 1]
      if (found === undefined) throw new Error("no such word")
      return found
    },
  }
}

/** So many, after their count. */
function list(item: Codec, most = 64, least = 1): Codec {
  return {
    write: (value) => concat(int((value as Value[]).length, 1), ...(value as Value[]).map(item.write)),
    read: (fields) => {
      const count = fields.int(1)
      if (count < least || count > most) throw new Error("a count out of its bounds")
      return Array.from({ length: count }, () => item.read(fields))
    },
  }
}

const u64 = whole(8)
const id = whole(2, 1)
const numbers = ["numbers", list(whole(4))] as const
const mailbox = ["mailbox", bytes(16)] as const
const account = ["account", bytes(32)] as const
const subject: Body = [
  ["author", bytes(8)],
  ["id", bytes(8)],
  ["digest", bytes(16)],
]
const time = ["time", u64] as const

const name = ["name", short(64)] as const
const recoveryBundle = bytes(1402)
const accountId = ["accountId", bytes(32)] as const
const first = ["first", whole(2)] as const
const seconds = ["seconds", whole(4, 0, 366 * 86_400)] as const

const text: Body = [["id", bytes(8)], time, ["text", rest(1, 65_276)]]

const FRAMES: Readonly<Record<string, readonly [type: number, ...body: Body]>> = {
  hello: [
    0x01,
    name,
    ["recoveryBundle", recoveryBundle],
    accountId,
    ["length", whole(2, 1)],
    ["head", bytes(32)],
    ["share", bytes(32)],
  ],
  text: [0x02, ...text],
  ack: [0x03, ["mids", list(bytes(8))]],
  "pq-ek": [0x04, ["id", id], ["encapsulationKey", bytes(1184)]],
  "pq-ct": [0x05, ["id", id], ["ciphertext", bytes(1088)]],
  topic: [0x06, mailbox],
  "topic-ok": [0x07, mailbox],
  "recovery-bundle": [0x08, ["bundle", recoveryBundle]],
  open: [0x09, ["nonce", bytes(32)]],
  chain: [0x0a, accountId, first, ["links", rest(1, 16_000)]],
  "chain-ask": [0x0b, accountId, first],
  rejected: [0x0c],
  nop: [0x0e],
  number: [0x10, ["number", whole(4)]],
  reply: [0x11, ...subject],
  read: [0x12, ["ids", list(bytes(8))]],
  typing: [0x13, ["typing", flag]],
  timer: [0x14, seconds, ["setAt", u64]],
  moved: [0x15, ["at", u64]],
  again: [0x16, numbers],
  gone: [0x17, ["reason", word("cancelled", "given-up", "not-held")], numbers],
  edit: [0x18, ...subject, time, ["text", rest(1, 65_276)]],
  delete: [0x19, ...subject, time],
  reaction: [0x1a, ...subject, time, ["emoji", rest(0, 64)]],
  "intro-ask": [0x1b, account, ["name", rest(1, 64)]],
  "intro-yes": [0x1c, account, ["bundle", bytes(1402)]],
  intro: [0x1d, account, ["bundle", bytes(1402)], ["name", rest(1, 64)]],
  "superseded-inits": [0x1e, ["mids", list(bytes(8), 5)]],
  have: [0x1f, ["ids", list(bytes(8), 6, 0)]],
  resend: [0x20, ...text],
  sig: [0x21, ["signature", bytes(64)]],
}

/** Those that change the conversation [W-50]. */
const NUMBERED = ["text", "edit", "delete", "reaction", "resend"]
const LISTS_MAX = 64

export type Frame = { readonly kind: string } & Readonly<Record<string, Value>>

export function writeFrame(frame: Frame): Uint8Array {
  const [type, ...body] = FRAMES[frame.kind] ?? []
  if (type === undefined) throw new Error(`no frame is called ${frame.kind}`)
  const bytes = concat(...body.map(([name, codec]) => codec.write(frame[name] ?? null)))
  return concat(int(type, 1), int(bytes.length, 2), bytes)
}

/** The frames of padded bytes [W-20]; throws for what a reader refuses. */
export function readFrames(padded: Uint8Array): Frame[] {
  const fields = new Fields(padded)
  const frames: Frame[] = []
  let length = 0
  for (let type = fields.int(1); type !== 0; type = fields.int(1)) {
    const body = fields.field()
    length += 3 + body.length
    frames.push(readBody(type, new Fields(body)))
  }
  if (toHex(pad(padded.slice(0, length))) !== toHex(padded)) throw new Error("other padding")
  checkTogether(frames)
  return frames
}

/** [W-50] */
function checkTogether(frames: readonly Frame[]): void {
  const kinds = frames.map(({ kind }) => kind)
  const numbered = kinds.filter((kind) => NUMBERED.includes(kind))
  const listed = frames.flatMap((frame) => ["mids", "ids", "numbers"].map((list) => frame[list] ?? [])).flat()
  if (new Set(kinds).size < kinds.length) throw new Error("two frames of one type")
  if (numbered.length > 1) throw new Error("two numbered frames")
  if (numbered.length > 0 && !kinds.includes("number")) throw new Error("a numbered frame without a NUMBER")
  if (listed.length > LISTS_MAX) throw new Error("too many ids and numbers")
}

function readBody(type: number, fields: Fields): Frame {
  const found = Object.entries(FRAMES).find(([, [own]]) => own === type)
  if (found === undefined) throw new Error(`no frame has the type ${type}`)
  const [kind, [, ...body]] = found
  const values = body.map(([name, codec]) => [name, codec.read(fields)] as const)
  fields.end()
  return { kind, ...Object.fromEntries(values) }
}
