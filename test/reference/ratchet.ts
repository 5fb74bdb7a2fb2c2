import { ascii, concat, int, toHex, zeros } from "./bytes.ts"
import { boxKey, Expand, H, HMAC, openBox, SB, XDH } from "./primitives.ts"

/** The sizes of a message [W-20]. */
const BUCKETS = [256, 512, 1024, 2048, 4096, 16384, 65536]

type Pair = { secret: Uint8Array; key: Uint8Array }
type Chain = { headerKey: Uint8Array; chainKey: Uint8Array }
type Secret = { id: number; ss: Uint8Array }

/** A session as [S-50] lays it out. */
export type State = {
  role: 0 | 1
  th: Uint8Array
  root: Uint8Array
  /** Of our next chain. */
  nextHeaderKey: Uint8Array
  /** Of the peer's next chain. */
  upcoming: Uint8Array
  present: (Chain & { number: number }) | undefined
  /** Waiting and speaking. */
  own: Pair | undefined
  /** Speaking. */
  sending: (Chain & { sent: number; before: number; kem: number }) | undefined
  /** Listening. */
  theirs: Uint8Array | undefined
  previous: number
  lastId: number
  lastAnswered: number
  messages: number
  since: number
  asked: { id: number; seed: Uint8Array } | undefined
  ready: Secret | undefined
  promised: Secret | undefined
  skipped: { headerKey: Uint8Array; tag: Uint8Array; messageKey: Uint8Array; stored: number }[]
}

export function pairOf(secret: Uint8Array): Pair {
  return { secret, key: boxKey(secret) }
}

/** [S-21] */
export function rootStep(root: Uint8Array, dh: Uint8Array | undefined, pq?: Secret) {
  if (dh === undefined) throw new Error("an agreement of zeros")
  const prk = HMAC(root, dh, pq?.ss ?? zeros(0))
  const out = Expand(prk, concat(ascii("mqttchat/1 root"), int(pq?.id ?? 0, 2)), 96)
  return { root: out.slice(0, 32), chainKey: out.slice(32, 64), nextHeaderKey: out.slice(64) }
}

/** [S-23] */
export function tagOf(headerKey: Uint8Array, n: number): Uint8Array {
  const nonce = concat(ascii("mqc1-tag"), int(Math.floor(n / 16), 4), zeros(12))
  const at = 16 + 16 * (n % 16)
  return SB(zeros(256), nonce, headerKey).slice(at, at + 16)
}

/** [S-22] */
export const messageKey = (chainKey: Uint8Array) => HMAC(chainKey, int(1, 1))
export const nextChainKey = (chainKey: Uint8Array) => HMAC(chainKey, int(2, 1)).slice(0, 32)

/** [W-20] */
export function pad(frames: Uint8Array): Uint8Array {
  const bucket = BUCKETS.find((size) => size - 116 > frames.length)
  if (bucket === undefined) throw new Error("too long for a message")
  return concat(frames, zeros(bucket - 116 - frames.length))
}

/** [S-26] */
export function payloadHash(key: Uint8Array, th: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  return HMAC(key.slice(32), ascii("mqttchat/1 siv"), th, ...parts).slice(0, 24)
}

/** [S-27] */
export function messageId(wire: Uint8Array): Uint8Array {
  return H(ascii("mqttchat/1 mid"), wire.slice(0, 40)).slice(0, 16)
}

/** [S-30]; `ratchetSecret` is the new pair's, if a chain begins. */
export function seal(state: State, frames: Uint8Array, ratchetSecret?: Uint8Array): Uint8Array {
  if (state.sending === undefined) beginChain(state, ratchetSecret)
  const { own, sending } = state
  if (own === undefined || sending === undefined) throw new Error("this side cannot send yet")
  const header = concat(own.key, int(sending.before, 4), int(sending.sent, 4), int(sending.kem, 2), zeros(2))
  const [tag, key, padded] = [
    tagOf(sending.headerKey, sending.sent),
    messageKey(sending.chainKey),
    pad(frames),
  ]
  const v = payloadHash(key, state.th, tag, header, padded)
  sending.sent += 1
  sending.chainKey = nextChainKey(sending.chainKey)
  state.messages += 1
  return concat(tag, v, SB(header, v, sending.headerKey), SB(padded, v, key.slice(0, 32)))
}

function beginChain(state: State, ratchetSecret: Uint8Array | undefined): void {
  if (state.theirs === undefined || ratchetSecret === undefined) throw new Error("this side cannot send yet")
  const own = pairOf(ratchetSecret)
  const step = rootStep(state.root, XDH(own.secret, state.theirs), state.ready)
  state.sending = {
    headerKey: state.nextHeaderKey,
    chainKey: step.chainKey,
    sent: 0,
    before: state.previous,
    kem: state.ready?.id ?? 0,
  }
  state.own = own
  state.root = step.root
  state.nextHeaderKey = step.nextHeaderKey
  state.theirs = state.ready = undefined
}

type Header = { key: Uint8Array; before: number; n: number; kem: number; plain: Uint8Array }

/** [S-25] */
function openHeader(wire: Uint8Array, headerKey: Uint8Array): Header | undefined {
  const plain = openBox(wire.slice(40, 100), wire.slice(16, 40), headerKey)
  if (plain === undefined) return undefined
  const view = Buffer.from(plain)
  const header = { before: view.readUInt32LE(32), n: view.readUInt32LE(36), kem: view.readUInt16LE(40) }
  const isTagged = toHex(tagOf(headerKey, header.n)) === toHex(wire.slice(0, 16))
  if (header.n >= 65_535 || view.readUInt16LE(42) !== 0 || !isTagged) return undefined
  return { key: plain.slice(0, 32), ...header, plain }
}

/** [S-26] */
function openBody(wire: Uint8Array, th: Uint8Array, key: Uint8Array, header: Header): Uint8Array {
  const v = wire.slice(16, 40)
  const padded = openBox(wire.slice(100), v, key.slice(0, 32))
  if (padded === undefined) throw new Error("the body does not open")
  const expected = payloadHash(key, th, wire.slice(0, 16), header.plain, padded)
  if (toHex(expected) !== toHex(v)) throw new Error("the payload has another hash")
  return padded
}

/** [S-31]: the padded frames; `now` in unix seconds. The state is only good for more if it opened. */
export function open(state: State, wire: Uint8Array, now: number): Uint8Array {
  const skipped = state.skipped.find(({ tag }) => toHex(tag) === toHex(wire.slice(0, 16)))
  const padded = skipped === undefined ? openNext(state, wire, now) : openSkipped(state, wire, skipped)
  state.messages += 1
  if (state.since === 0) state.since = now
  return padded
}

function openSkipped(state: State, wire: Uint8Array, key: State["skipped"][number]): Uint8Array {
  const header = openHeader(wire, key.headerKey)
  if (header === undefined) throw new Error("the header does not open")
  state.skipped = state.skipped.filter((other) => other !== key)
  return openBody(wire, state.th, key.messageKey, header)
}

function openNext(state: State, wire: Uint8Array, now: number): Uint8Array {
  const onPresent = state.present && openHeader(wire, state.present.headerKey)
  const header = onPresent ?? (state.theirs === undefined ? openHeader(wire, state.upcoming) : undefined)
  if (header === undefined) throw new Error("nobody expects this tag")
  if (onPresent === undefined) followChain(state, header, now)
  const { present } = state
  if (present === undefined || header.n < present.number) throw new Error("a message that was opened before")
  skipTo(state, header.n, now)
  const padded = openBody(wire, state.th, messageKey(present.chainKey), header)
  present.chainKey = nextChainKey(present.chainKey)
  present.number += 1
  return padded
}

/** The first message of the peer's next chain. */
function followChain(state: State, header: Header, now: number): void {
  if (state.own === undefined) throw new Error("this side has begun no chain")
  if (header.kem !== 0 && header.kem !== state.promised?.id)
    throw new Error("the secret of this step is unknown")
  if (state.present !== undefined) skipTo(state, header.before, now)
  const step = rootStep(
    state.root,
    XDH(state.own.secret, header.key),
    header.kem === 0 ? undefined : state.promised,
  )
  state.present = { headerKey: state.upcoming, chainKey: step.chainKey, number: 0 }
  state.root = step.root
  state.upcoming = step.nextHeaderKey
  if (header.kem !== 0) state.promised = undefined
  state.previous = state.sending?.sent ?? 0
  state.theirs = header.key
  state.own = state.sending = undefined
}

/** Keeps the keys of the messages before `n` [S-33]. */
function skipTo({ present, skipped }: State, n: number, stored: number): void {
  if (present === undefined || n - present.number > 1024) throw new Error("too far ahead")
  for (; present.number < n; present.number += 1) {
    const { headerKey, chainKey } = present
    const tag = tagOf(headerKey, present.number)
    skipped.push({ headerKey, tag, messageKey: messageKey(chainKey), stored })
    present.chainKey = nextChainKey(chainKey)
  }
}
