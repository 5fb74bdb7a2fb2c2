import type {
  ChainKey,
  HeaderKey,
  KemSeed,
  PublicKey,
  RootKey,
  SecretKey,
  SharedSecret,
} from "../crypto/bytes.ts"
import { KEM_SEED_BYTES, KEY_BYTES } from "../crypto/sizes.ts"
import { Writer, decode } from "../wire/codec.ts"
import type { Reader } from "../wire/codec.ts"
import { blockOf, tagBlock, windowFrom } from "./chain.ts"
import { listening, speaking, waiting } from "./state-updates.ts"
import { readSkipped, writeSkipped } from "./skipped-codec.ts"
import type {
  PqSecret,
  PqState,
  PqStep,
  RatchetPair,
  ReceivingChain,
  SendingChain,
  Session,
} from "./state.ts"

const VERSION = 1
const ROLES = ["initiator", "responder"] as const
const KINDS = ["waiting", "listening", "speaking"] as const
const STEPS = ["idle", "asked", "ready"] as const
const NO_TAGS = new Uint8Array(0)

/**
 * A whole session as bytes for our own store: some 400, and 80 for each skipped key. They hold every secret of the
 * session. Tags are left out: they are recomputed from the header keys [S-50].
 */
export function encodeSession(session: Session): Uint8Array {
  const writer = new Writer()
    .u8(VERSION)
    .u8(ROLES.indexOf(session.role))
    .u8(KINDS.indexOf(session.kind))
    .bytes(session.transcript)
    .bytes(session.root)
    .bytes(session.nextHeaderKey)
    .bytes(session.upcoming.headerKey)
  writeReceiving(writer, session.receiving)
  writeKind(writer, session)
  writePq(writer, session.pq)
  writeSkipped(writer, session.skipped)
  return writer.done()
}

/** The session, or undefined for bytes that `encodeSession` does not write [S-50]. */
export function decodeSession(bytes: Uint8Array): Session | undefined {
  return decode(bytes, readSession)
}

function readSession(reader: Reader): Session | undefined {
  if (reader.u8() !== VERSION) reader.refuse()
  const role = oneOf(reader, ROLES)
  const kind = oneOf(reader, KINDS)
  const transcript = reader.bytes(KEY_BYTES)
  const root = reader.bytes(KEY_BYTES) as RootKey
  const nextHeaderKey = reader.bytes(KEY_BYTES) as HeaderKey
  const upcomingKey = reader.bytes(KEY_BYTES) as HeaderKey
  const receiving = readReceiving(reader)
  const part = readKind(reader, kind)
  const pq = readPq(reader)
  const skipped = readSkipped(reader)
  if (reader.spoilt) return undefined
  const upcoming = { headerKey: upcomingKey, window: windowFrom(upcomingKey, 0) }
  const base = { role, transcript, root, nextHeaderKey, receiving, upcoming, skipped, pq }
  switch (part.kind) {
    case "waiting":
      return waiting(base, part.own)
    case "listening":
      return listening(base, part.theirs, part.previous)
    case "speaking":
      return speaking(base, part.own, part.sending)
  }
}

function oneOf<T>(reader: Reader, values: readonly [T, ...T[]]): T {
  const value = values[reader.u8()]
  if (value !== undefined) return value
  reader.refuse()
  return values[0]
}

function writeReceiving(writer: Writer, chain: ReceivingChain | undefined): void {
  writer.u8(chain === undefined ? 0 : 1)
  if (chain !== undefined) writer.bytes(chain.headerKey).bytes(chain.chainKey).u32(chain.received)
}

function readReceiving(reader: Reader): ReceivingChain | undefined {
  if (!oneOf(reader, [false, true])) return undefined
  const headerKey = reader.bytes(KEY_BYTES) as HeaderKey
  const chainKey = reader.bytes(KEY_BYTES) as ChainKey
  const received = reader.u32()
  if (reader.spoilt) return undefined
  return { headerKey, chainKey, received, window: windowFrom(headerKey, received) }
}

function writeKind(writer: Writer, session: Session): void {
  switch (session.kind) {
    case "waiting":
      writePair(writer, session.own)
      return
    case "listening":
      writer.bytes(session.theirs).u16(session.previous)
      return
    case "speaking":
      writePair(writer, session.own)
      writeSending(writer, session.sending)
  }
}

function readKind(reader: Reader, kind: Session["kind"]) {
  switch (kind) {
    case "waiting":
      return { kind, own: readPair(reader) }
    case "listening":
      return { kind, theirs: reader.bytes(KEY_BYTES) as PublicKey, previous: reader.u16() }
    case "speaking":
      return { kind, own: readPair(reader), sending: readSending(reader) }
  }
}

function writePair(writer: Writer, pair: RatchetPair): void {
  writer.bytes(pair.secretKey).bytes(pair.publicKey)
}

function readPair(reader: Reader): RatchetPair {
  return { secretKey: reader.bytes(KEY_BYTES) as SecretKey, publicKey: reader.bytes(KEY_BYTES) as PublicKey }
}

function writeSending(writer: Writer, chain: SendingChain): void {
  writer.bytes(chain.headerKey).bytes(chain.chainKey).u16(chain.sent).u16(chain.previous).u16(chain.kem)
}

function readSending(reader: Reader): SendingChain {
  const headerKey = reader.bytes(KEY_BYTES) as HeaderKey
  const chainKey = reader.bytes(KEY_BYTES) as ChainKey
  const chain = { headerKey, chainKey, sent: reader.u16(), previous: reader.u16(), kem: reader.u16() }
  return { ...chain, tags: reader.spoilt ? NO_TAGS : tagBlock(headerKey, blockOf(chain.sent)) }
}

function writePq(writer: Writer, pq: PqState): void {
  const { step, promised } = pq
  writer.u16(pq.lastId).u16(pq.lastAnswered).u32(pq.messages).u64(pq.since).u8(STEPS.indexOf(step.kind))
  if (step.kind === "asked") writer.u16(step.id).bytes(step.seed)
  if (step.kind === "ready") writeSecret(writer, step)
  writer.u8(promised === undefined ? 0 : 1)
  if (promised !== undefined) writeSecret(writer, promised)
}

function readPq(reader: Reader): PqState {
  const lastId = reader.u16()
  const lastAnswered = reader.u16()
  const messages = reader.u32()
  const since = reader.u64()
  const step = readStep(reader, oneOf(reader, STEPS))
  const promised = oneOf(reader, [false, true]) ? readSecret(reader) : undefined
  return { lastId, lastAnswered, messages, since, step, promised }
}

function readStep(reader: Reader, kind: PqStep["kind"]): PqStep {
  switch (kind) {
    case "idle":
      return { kind }
    case "asked":
      return { kind, id: reader.u16(), seed: reader.bytes(KEM_SEED_BYTES) as KemSeed }
    case "ready":
      return { kind, ...readSecret(reader) }
  }
}

function writeSecret(writer: Writer, { id, secret }: PqSecret): void {
  writer.u16(id).bytes(secret)
}

function readSecret(reader: Reader): PqSecret {
  return { id: reader.u16(), secret: reader.bytes(KEY_BYTES) as SharedSecret }
}
