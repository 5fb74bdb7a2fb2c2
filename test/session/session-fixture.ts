import { createHash } from "node:crypto"
import { expect } from "vitest"
import { type Random } from "../../src/crypto/bytes.ts"
import { boxKeyPair, signKeyPair } from "../../src/crypto/nacl.ts"
import { makeBundle, readBundle, type OpenBundle } from "../../src/session/bundle.ts"
import { initiate, linkPsk, MODE, respond, type Established } from "../../src/session/handshake.ts"
import { open, seal } from "../../src/session/ratchet.ts"
import { encodeSession } from "../../src/session/snapshot.ts"
import type { Session } from "../../src/session/state.ts"
import type { Frame } from "../../src/wire/frame.ts"
import type { IdentityKeys } from "../../src/wire/identity.ts"
import type { Inbox } from "../../src/wire/topics.ts"
import "../fastest-backend.ts"

/** Unix seconds at which these tests begin. */
export const NOW = 1_800_000_000
export const TOMORROW = NOW + 24 * 3600

/** The same bytes for the same seed: SHA-512 of seed and counter, one after the other. */
export function seededRandom(seed: string): Random {
  let count = 0
  return (length) => {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += 64) {
      const digest = createHash("sha512").update(`${seed}/${count++}`).digest()
      bytes.set(digest.subarray(0, Math.min(64, length - at)), at)
    }
    return bytes
  }
}

export function newIdentity(random: Random): IdentityKeys {
  const sign = signKeyPair(random)
  const box = boxKeyPair(random)
  return {
    signSecret: sign.secretKey,
    boxSecret: box.secretKey,
    public: { sign: sign.publicKey, box: box.publicKey },
  }
}

export function inbox(random: Random): Inbox {
  return { device: random(16), mailbox: random(16) }
}

export function bundleOf(owner: IdentityKeys, random: Random): OpenBundle {
  return makeBundle(
    owner,
    { multiUse: false, recovery: false, inbox: inbox(random), notAfter: TOMORROW },
    random,
  )
}

export function hello(name: string, owner: IdentityKeys, random: Random): Frame {
  const terms = { multiUse: false, recovery: true, inbox: inbox(random), notAfter: TOMORROW }
  const { bundle } = makeBundle(owner, terms, random)
  const account = { accountId: random(32), length: 1, head: random(32) }
  const recoveryBundle = bundle.bytes
  return { kind: "hello", name: Buffer.from(name), recoveryBundle, ...account, share: random(32) }
}

export type HandshakeResult = {
  alice: IdentityKeys
  bob: IdentityKeys
  open: OpenBundle
  init: Uint8Array
  atAlice: Established
  atBob: Established
}

/** Alice answers Bob's bundle, which she got by a link, and Bob accepts. */
export function runHandshake(random: Random): HandshakeResult {
  const alice = newIdentity(random)
  const bob = newIdentity(random)
  const own = bundleOf(bob, random)
  const bundle = readBundle(own.bundle.bytes, NOW)!
  const psk = linkPsk(bundle.hash)
  const frames = [hello("Alice", alice, random)]
  const initiated = initiate(
    { identity: alice, inbox: inbox(random), bundle, psk, mode: MODE.link, frames },
    random,
  )
  if (initiated.kind === "refused") throw new Error(initiated.why)
  const { init } = initiated
  const answer = respond({ identity: bob, open: own, psk, mode: MODE.link }, init)
  if (answer.kind === "refused") throw new Error(answer.why)
  return { alice, bob, open: own, init, atAlice: initiated.established, atBob: answer.established }
}

/** Alice's and Bob's sessions after INIT and WELCOME. */
export function establishedSessions(random: Random): { alice: Session; bob: Session } {
  const { atAlice, atBob } = runHandshake(random)
  const welcome = sealText(atBob.session, "welcome", random)
  return { alice: openMessage(atAlice.session, welcome.wire).next, bob: welcome.next }
}

/** The frames of one text; sessions do not look at its number. */
export function text(words: string): [Frame, Frame] {
  return [
    { kind: "text", id: new Uint8Array(8), time: 1_800_000_000_000, text: Buffer.from(words) },
    { kind: "number", number: 0 },
  ]
}

export function sealText(session: Session, words: string, random: Random) {
  const sealed = seal(session, text(words), random)
  if (sealed.kind === "refused") throw new Error(sealed.why)
  return sealed
}

export function openMessage(session: Session, wire: Uint8Array, now = NOW) {
  const opened = open(session, wire, now)
  if (opened.kind === "refused") throw new Error(opened.why)
  return { ...opened, words: textsOf(opened.frames) }
}

export function textsOf(frames: readonly Frame[]): string[] {
  return frames.flatMap((frame) => (frame.kind === "text" ? [Buffer.from(frame.text).toString()] : []))
}

/** The refusal of `open`, which must leave the session unchanged [S-20]. */
export function refusal(session: Session, wire: Uint8Array, now = NOW): string {
  const before = encodeSession(session)
  const opened = open(session, wire, now)
  expect(encodeSession(session)).toEqual(before)
  return opened.kind === "refused" ? opened.why : "opened"
}

export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const changed = new Uint8Array(bytes)
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return changed
}
