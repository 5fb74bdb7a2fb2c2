import { concat } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { littleEndian } from "../wire/codec.ts"
import { StreamReader } from "../wire/stream-reader.ts"

const VERSION = 1
const LENGTH_BYTES = 4
/** What a reader holds in memory. */
const PIECE_BYTES_MAX = 65_536
/** In the order in which they come; their number on the wire is the position in this list, from 1 [B-7]. */
export const BROKER_SECTIONS = ["keys", "settings", "ledger", "queues"] as const
export type BrokerSection = (typeof BROKER_SECTIONS)[number]

const END = 0

/** The bytes of one part of a broker, in pieces of any size. */
type SectionBytes = {
  readonly section: BrokerSection
  readonly bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** The contents of a broker's export [B-7]. */
export async function* writeBrokerContents(sections: Iterable<SectionBytes>): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(VERSION)
  for (const { section, bytes } of sections) {
    yield Uint8Array.of(BROKER_SECTIONS.indexOf(section) + 1)
    for await (const part of bytes) yield* pieces(part)
    yield littleEndian(0, LENGTH_BYTES)
  }
  yield Uint8Array.of(END)
}

function* pieces(part: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < part.length; start += PIECE_BYTES_MAX) {
    const piece = part.subarray(start, start + PIECE_BYTES_MAX)
    yield concat(littleEndian(piece.length, LENGTH_BYTES), piece)
  }
}

/**
 * Hands each section to `onSection`, which must read it to its end. Resolves when the contents were complete. Fault
 * `bad-data` for anything that `writeBrokerContents` did not write.
 */
export async function readBrokerContents(
  contents: AsyncIterable<Uint8Array>,
  onSection: (section: BrokerSection, bytes: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const reader = new StreamReader(contents)
  if ((await byte(reader)) !== VERSION) throw otherVersion()
  const seen = new Set<BrokerSection>()
  let last = END
  for (let number = await byte(reader); number !== END; number = await byte(reader)) {
    const section = BROKER_SECTIONS[number - 1]
    if (section === undefined || number <= last) throw otherVersion()
    await onSection(section, readPieces(reader))
    seen.add(section)
    last = number
  }
  if (!seen.has("keys") || !seen.has("ledger") || !(await reader.isAtEnd())) throw otherVersion()
}

async function* readPieces(reader: StreamReader): AsyncGenerator<Uint8Array> {
  for (;;) {
    const field = Buffer.from(await reader.read(LENGTH_BYTES))
    const length = field.length === LENGTH_BYTES ? field.readUInt32LE() : Infinity
    if (length === 0) return
    if (length > PIECE_BYTES_MAX) throw otherVersion()
    const piece = await reader.read(length)
    if (piece.length < length) throw otherVersion()
    yield piece
  }
}

async function byte(reader: StreamReader): Promise<number> {
  const [value] = await reader.read(1)
  if (value === undefined) throw otherVersion()
  return value
}

function otherVersion(): Fault {
  const message = "this is an export of another version of mqttchat; nothing was imported"
  return new Fault("bad-data", message, "install the version of mqttchat that wrote it, or a later one")
}
