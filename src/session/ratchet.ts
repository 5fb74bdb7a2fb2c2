import { wipe } from "../crypto/bytes.ts"
import type { Random } from "../crypto/bytes.ts"
import { agree, boxKeyPair } from "../crypto/nacl.ts"
import { Fault } from "../errors.ts"
import type { Frame } from "../wire/frame.ts"
import { MESSAGE_OVERHEAD, decodeFrames, encodeFrames } from "../wire/padding.ts"
import {
  BLOCK_TAGS,
  blockOf,
  messageKeyOf,
  nextChainKey,
  rootStep,
  tagBlock,
  tagIn,
  windowFrom,
} from "./chain.ts"
import { CHAIN_MAX, isBucket, messageId, openBody, openHeader, sealMessage } from "./message.ts"
import type { Root } from "./chain.ts"
import type { Keys, SealedHeader } from "./message.ts"
import { counted, received, listening, speaking, sent } from "./state-updates.ts"
import { locateKeys } from "./locate-keys.ts"
import { remember, skippedKeyOf, skipTo } from "./skipped.ts"
import { PQ_TRANSITIONS } from "./state.ts"
import type { Listening, PqState, ReceivingChain, Session, SkippedKey, Speaking, Waiting } from "./state.ts"

/** A message may skip this many others: 1024 HMACs take a few milliseconds, the most work a peer can cause at once. */
export const SKIP_MAX = 1024

export type Sealed =
  /** `wire` is a bucket long, `mid` 16 bytes. Commit `next` before `wire` leaves; a resend is the same bytes. */
  | { readonly kind: "sealed"; readonly wire: Uint8Array; readonly mid: Uint8Array; readonly next: Speaking }
  | { readonly kind: "refused"; readonly why: "waiting-for-peer" | "chain-full" | "too-long" }

export type Opened =
  /** `newChain`: the peer has received our last chain and answered it. */
  | {
      readonly kind: "opened"
      readonly frames: readonly Frame[]
      readonly mid: Uint8Array
      readonly next: Session
      readonly newChain: boolean
    }
  | Refused

export type Refused = {
  readonly kind: "refused"
  /**
   * `unknown-tag` is also the result of a replay; `forged` opened in part; `too-far-ahead` and `unknown-kem` may open
   * later, when what is missing has arrived; `malformed` has a wrong length, or contents that cannot be decoded.
   */
  readonly why: "malformed" | "unknown-tag" | "forged" | "too-far-ahead" | "unknown-kem"
}

/** Seals `frames` into one message. The given session is unchanged [S-20] [S-30]. */
export function seal(session: Session, frames: readonly Frame[], random: Random): Sealed {
  if (session.kind === "waiting") return { kind: "refused", why: "waiting-for-peer" }
  const wire = encodeFrames(frames, MESSAGE_OVERHEAD)
  if (wire === undefined) return { kind: "refused", why: "too-long" }
  const ours = session.kind === "speaking" ? session : startSendingChain(session, random)
  const { own, sending } = ours
  if (sending.sent >= CHAIN_MAX) return { kind: "refused", why: "chain-full" }
  const messageKey = messageKeyOf(sending.chainKey)
  const header = {
    ratchetKey: own.publicKey,
    previous: sending.previous,
    n: sending.sent,
    kem: sending.kem,
  }
  const keys = { transcript: session.transcript, headerKey: sending.headerKey, messageKey }
  sealMessage(wire, keys, tagIn(sending.tags, sending.sent), header)
  wipe(messageKey)
  return { kind: "sealed", wire, mid: messageId(wire), next: afterSending(ours) }
}

function afterSending(session: Speaking): Speaking {
  const { headerKey, chainKey, previous, kem } = session.sending
  const sentCount = session.sending.sent + 1
  const tags = sentCount % BLOCK_TAGS === 0 ? tagBlock(headerKey, blockOf(sentCount)) : session.sending.tags
  return sent(session, { headerKey, chainKey: nextChainKey(chainKey), sent: sentCount, previous, kem, tags })
}

/** A new key of ours and the chain that it starts (Double Ratchet section 4.5) [S-30]. */
function startSendingChain(session: Listening, random: Random): Speaking {
  const { theirs, previous, nextHeaderKey, pq } = session
  const own = boxKeyPair(random)
  const agreed = agree(own.secretKey, theirs)
  if (agreed === undefined)
    throw new Fault("bug", "the peer's ratchet key was of low order when it was accepted")
  const mixed = pq.step.kind === "ready" ? pq.step : undefined
  const step = rootStep(session.root, agreed, mixed)
  wipe(agreed)
  const { role, transcript, receiving, upcoming, skipped } = session
  const { root, chainKey } = step
  const left: PqState =
    mixed === undefined ? pq : { ...pq, step: { kind: PQ_TRANSITIONS.ready["our next chain begins"] } }
  const base = {
    role,
    transcript,
    root,
    nextHeaderKey: step.nextHeaderKey,
    receiving,
    upcoming,
    skipped,
    pq: left,
  }
  return speaking(base, own, {
    headerKey: nextHeaderKey,
    chainKey,
    sent: 0,
    previous,
    kem: mixed?.id ?? 0,
    tags: tagBlock(nextHeaderKey, 0),
  })
}

/**
 * Opens one message. `now` is in unix SECONDS and dates the keys of skipped messages. Bytes that are too long, too
 * short, random, replayed or changed are refused before any key agreement; the given session is unchanged [S-31].
 */
export function open(session: Session, wire: Uint8Array, now: number): Opened {
  if (!isBucket(wire.length)) return { kind: "refused", why: "malformed" }
  const skipped = skippedKeyOf(session.skipped, wire)
  if (skipped !== undefined) return openSkipped(session, skipped, wire, now)
  const location = locateKeys(session, wire)
  switch (location.kind) {
    case "present":
      return openPresent(session, location.chain, { wire, header: location.header, now })
    case "upcoming":
      return openUpcoming(location.session, { wire, header: location.header, now })
    case "forged":
      return { kind: "refused", why: "forged" }
    case "nowhere":
      return { kind: "refused", why: "unknown-tag" }
  }
}

type Incoming = { readonly wire: Uint8Array; readonly header: SealedHeader; readonly now: number }

function openSkipped(session: Session, key: SkippedKey, wire: Uint8Array, now: number): Opened {
  const header = openHeader(wire, key.headerKey)
  if (header === undefined) return { kind: "refused", why: "forged" }
  const frames = framesOf(wire, { ...key, transcript: session.transcript }, header)
  if (!Array.isArray(frames)) return frames
  const left = session.skipped.filter((other) => other !== key)
  const { receiving, pq } = session
  const next = received(session, { receiving, skipped: remember(left, [], now), pq: counted(pq, now) })
  return { kind: "opened", frames, mid: messageId(wire), next, newChain: false }
}

function openPresent(session: Session, chain: ReceivingChain, incoming: Incoming): Opened {
  const read = readOn(chain, session.transcript, incoming)
  if (read.kind === "refused") return read
  const { frames, receiving, overtaken } = read
  const skipped = remember(session.skipped, overtaken, incoming.now)
  const next = received(session, { receiving, skipped, pq: counted(session.pq, incoming.now) })
  return { kind: "opened", frames, mid: messageId(incoming.wire), next, newChain: false }
}

/** The peer's next chain: the root step, if the whole message then opens (section 4.6) [S-31]. */
function openUpcoming(session: Waiting | Speaking, incoming: Incoming): Opened {
  const { header, wire } = incoming
  const why = unready(session, header)
  if (why !== undefined) return { kind: "refused", why }
  const agreed = agree(session.own.secretKey, header.ratchetKey)
  if (agreed === undefined) return { kind: "refused", why: "forged" }
  const step = rootStep(session.root, agreed, header.kem === 0 ? undefined : session.pq.promised)
  wipe(agreed)
  const { headerKey, window } = session.upcoming
  const chain = { headerKey, chainKey: step.chainKey, received: 0, window }
  const read = readOn(chain, session.transcript, incoming)
  if (read.kind === "refused") return read
  const next = afterRootStep(session, step, read, incoming)
  return { kind: "opened", frames: read.frames, mid: messageId(wire), next, newChain: true }
}

function unready(
  { receiving, pq }: Session,
  header: SealedHeader,
): "too-far-ahead" | "unknown-kem" | undefined {
  const missing = receiving === undefined ? 0 : header.previous - receiving.received
  if (missing > SKIP_MAX || header.n > SKIP_MAX) return "too-far-ahead"
  return header.kem !== 0 && header.kem !== pq.promised?.id ? "unknown-kem" : undefined
}

function afterRootStep(
  session: Waiting | Speaking,
  step: Root,
  read: Read,
  { header, now }: Incoming,
): Listening {
  const { role, transcript, nextHeaderKey, pq } = session
  const left = session.receiving === undefined ? [] : skipTo(session.receiving, header.previous, now).keys
  const base = {
    role,
    transcript,
    root: step.root,
    nextHeaderKey,
    receiving: read.receiving,
    upcoming: { headerKey: step.nextHeaderKey, window: windowFrom(step.nextHeaderKey, 0) },
    skipped: remember(session.skipped, [...left, ...read.overtaken], now),
    pq: counted(header.kem === 0 ? pq : { ...pq, promised: undefined }, now),
  }
  return listening(base, header.ratchetKey, session.kind === "speaking" ? session.sending.sent : 0)
}

type Read = {
  readonly kind: "read"
  readonly frames: readonly Frame[]
  readonly receiving: ReceivingChain
  readonly overtaken: readonly SkippedKey[]
}

function readOn(
  chain: ReceivingChain,
  transcript: Uint8Array,
  { wire, header, now }: Incoming,
): Read | Refused {
  const { headerKey } = chain
  if (header.n - chain.received > SKIP_MAX) return { kind: "refused", why: "too-far-ahead" }
  const { keys, chainKey } = skipTo(chain, header.n, now)
  const messageKey = messageKeyOf(chainKey)
  const frames = framesOf(wire, { transcript, headerKey, messageKey }, header)
  wipe(messageKey)
  if (!Array.isArray(frames)) return frames
  const received = header.n + 1
  const window = windowFrom(headerKey, received, chain.window)
  const receiving = { headerKey, chainKey: nextChainKey(chainKey), received, window }
  return { kind: "read", frames, receiving, overtaken: keys }
}

function framesOf(wire: Uint8Array, keys: Keys, header: SealedHeader): Frame[] | Refused {
  return openBody(wire, keys, header, readFrames) ?? { kind: "refused", why: "forged" }
}

function readFrames(padded: Uint8Array): Frame[] | Refused {
  return decodeFrames(padded) ?? { kind: "refused", why: "malformed" }
}
