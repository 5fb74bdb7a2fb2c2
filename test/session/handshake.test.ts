import { expect, test } from "vitest"
import {
  concat,
  type KemSeed,
  type Psk,
  type PublicKey,
  type RecoverySecret,
} from "../../src/crypto/bytes.ts"
import { encodeOpenBundle, readBundle, type Bundle } from "../../src/session/bundle.ts"
import {
  INIT_BYTES,
  initiate,
  initTag,
  linkPsk,
  MODE,
  recoveryPsk,
  respond,
  type Mode,
} from "../../src/session/handshake.ts"
import { encodeSession } from "../../src/session/snapshot.ts"
import {
  bundleOf,
  flipped,
  openMessage,
  hello,
  inbox,
  runHandshake,
  NOW,
  newIdentity,
  sealText,
  seededRandom,
  text,
} from "./session-fixture.ts"

const random = seededRandom("handshake")
const alice = newIdentity(random)
const bob = newIdentity(random)

function initFor(bundle: Bundle, psk: Psk = linkPsk(bundle.hash), mode: Mode = MODE.link) {
  const frames = [hello("Alice", alice, random)]
  return initiate({ identity: alice, inbox: inbox(random), bundle, psk, mode, frames }, random)
}

function goodInit(bundle: Bundle): Uint8Array {
  const initiated = initFor(bundle)
  if (initiated.kind === "refused") throw new Error(initiated.why)
  return initiated.init
}

test("[S-12] [S-13] Alice answers Bob's bundle: both know each other and the same words, and can send", () => {
  const { atAlice, atBob, init, ...parties } = runHandshake(random)
  expect(init).toHaveLength(INIT_BYTES)
  expect(atAlice.peer).toEqual(parties.bob.public)
  expect(atBob.peer).toEqual(parties.alice.public)
  expect(atAlice.peerInbox).toEqual(parties.open.bundle.inbox)
  expect(atAlice.sas).toEqual(atBob.sas)
  expect(atAlice.recoverySecret).toEqual(atBob.recoverySecret)
  expect(atAlice.sas).not.toEqual(atAlice.recoverySecret)

  const welcome = sealText(atBob.session, "welcome", random)
  const aliceOpened = openMessage(atAlice.session, welcome.wire)
  expect(aliceOpened.words).toEqual(["welcome"])
  expect(aliceOpened.mid).toEqual(welcome.mid)
  const reply = sealText(aliceOpened.next, "thank you", random)
  const bobOpened = openMessage(welcome.next, reply.wire)
  expect(bobOpened).toMatchObject({ words: ["thank you"], newChain: true })
})

test("[S-14] what Alice sends before Bob answers is on her first chain, which confirms nothing", () => {
  const { atAlice, atBob } = runHandshake(random)
  const early = sealText(atAlice.session, "early", random)
  expect(openMessage(atBob.session, early.wire)).toMatchObject({ words: ["early"], newChain: false })
})

test("Bob reads Alice's first message in the INIT, and its id", () => {
  const own = bundleOf(bob, random)
  const initiated = initFor(own.bundle)
  if (initiated.kind === "refused") throw new Error(initiated.why)
  const psk = linkPsk(own.bundle.hash)
  const answer = respond({ identity: bob, open: own, psk, mode: MODE.link }, initiated.init)
  if (answer.kind === "refused") throw new Error(answer.why)
  expect(answer.frames).toMatchObject([{ kind: "hello", name: new Uint8Array(Buffer.from("Alice")) }])
  expect(answer.mid).toEqual(initiated.mid)
})

test("[S-13] a changed bit in any part of INIT that is read is refused, and the bundle stays valid", () => {
  const own = bundleOf(bob, random)
  const stored = encodeOpenBundle(own)
  const response = { identity: bob, open: own, psk: linkPsk(own.bundle.hash), mode: MODE.link }
  const init = goodInit(own.bundle)
  for (let at = 0; at < 3312; at += 37) {
    expect(respond(response, flipped(init, at * 8 + (at % 8))).kind).toBe("refused")
  }
  expect(respond(response, init.subarray(1))).toEqual({ kind: "refused", why: "malformed" })
  expect(respond(response, flipped(init, 0))).toEqual({ kind: "refused", why: "unknown-tag" })
  expect(respond(response, flipped(init, 60 * 8))).toEqual({ kind: "refused", why: "forged" })
  expect(encodeOpenBundle(own)).toEqual(stored)
  expect(respond(response, init).kind).toBe("accepted")
})

test("[S-11] the random bytes at the end are not read", () => {
  const own = bundleOf(bob, random)
  const response = { identity: bob, open: own, psk: linkPsk(own.bundle.hash), mode: MODE.link }
  expect(respond(response, flipped(goodInit(own.bundle), 4000 * 8)).kind).toBe("accepted")
})

test("[S-10] an INIT for one mode does not open in another", () => {
  const own = bundleOf(bob, random)
  const init = goodInit(own.bundle)
  const response = { identity: bob, open: own, psk: linkPsk(own.bundle.hash), mode: MODE.file }
  expect(respond(response, init)).toEqual({ kind: "refused", why: "forged" })
})

test("[S-11] an INIT under another pre-shared key does not find the bundle", () => {
  const own = bundleOf(bob, random)
  const secret = random(32) as RecoverySecret
  const psk = recoveryPsk(own.bundle.hash, secret)
  expect(initTag(psk, own.bundle.hash)).not.toEqual(initTag(linkPsk(own.bundle.hash), own.bundle.hash))
  const response = { identity: bob, open: own, psk, mode: MODE.link }
  expect(respond(response, goodInit(own.bundle))).toEqual({ kind: "refused", why: "unknown-tag" })
})

test("a recovery with the secret of the last handshake makes a new session, with the wrong one none", () => {
  const { atAlice, atBob } = runHandshake(random)
  const own = bundleOf(bob, random)
  const psk = recoveryPsk(own.bundle.hash, atAlice.recoverySecret)
  const initiated = initFor(own.bundle, psk, MODE.recovery)
  if (initiated.kind === "refused") throw new Error(initiated.why)
  const theirs = recoveryPsk(own.bundle.hash, atBob.recoverySecret)
  expect(respond({ identity: bob, open: own, psk: theirs, mode: MODE.recovery }, initiated.init).kind).toBe(
    "accepted",
  )
  const foreign = recoveryPsk(own.bundle.hash, random(32) as RecoverySecret)
  expect(respond({ identity: bob, open: own, psk: foreign, mode: MODE.recovery }, initiated.init).kind).toBe(
    "refused",
  )
})

test("Mallory, who has the bundle but not Bob's secrets, cannot take Bob's part", () => {
  const own = bundleOf(bob, random)
  const init = goodInit(own.bundle)
  const mallory = newIdentity(random)
  const psk = linkPsk(own.bundle.hash)
  const guessed = { ...own, prekeySecret: mallory.boxSecret }
  expect(respond({ identity: mallory, open: own, psk, mode: MODE.link }, init).kind).toBe("refused")
  expect(respond({ identity: bob, open: guessed, psk, mode: MODE.link }, init).kind).toBe("refused")
  const wrongSeed = { ...own, kemSeed: random(64) as KemSeed }
  expect(respond({ identity: bob, open: wrongSeed, psk, mode: MODE.link }, init).kind).toBe("refused")
})

test("Mallory, who claims Alice's identity without her secret, is refused", () => {
  const own = bundleOf(bob, random)
  const mallory = { ...newIdentity(random), public: alice.public }
  const psk = linkPsk(own.bundle.hash)
  const initiated = initiate(
    {
      identity: mallory,
      inbox: inbox(random),
      bundle: own.bundle,
      psk,
      mode: MODE.link,
      frames: [hello("Alice", mallory, random)],
    },
    random,
  )
  if (initiated.kind === "refused") throw new Error(initiated.why)
  expect(respond({ identity: bob, open: own, psk, mode: MODE.link }, initiated.init)).toEqual({
    kind: "refused",
    why: "forged",
  })
})

test("[S-12] [S-13] an identity cannot pair with itself", () => {
  const own = bundleOf(alice, random)
  expect(initFor(own.bundle)).toEqual({ kind: "refused", why: "own-bundle" })
  const bobs = bundleOf(bob, random)
  const psk = linkPsk(bobs.bundle.hash)
  // An owner whose bundle was answered under the owner's own identity, with all its keys.
  const reflected = { ...bobs, bundle: bobs.bundle }
  const init = goodInit(bobs.bundle)
  const answer = respond(
    { identity: { ...alice, boxSecret: bob.boxSecret }, open: reflected, psk, mode: MODE.link },
    init,
  )
  expect(answer).toEqual({ kind: "refused", why: "own-identity" })
})

test("[S-1] [S-13] keys of low order are refused on both sides", () => {
  const own = bundleOf(bob, random)
  const zero = new Uint8Array(32) as PublicKey
  const one = Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 1 : 0)) as PublicKey
  for (const point of [zero, one]) {
    const weakPrekey = { ...own.bundle, prekey: point }
    expect(initFor(weakPrekey)).toEqual({ kind: "refused", why: "weak-key" })
    const weakOwner = { ...own.bundle, owner: { ...own.bundle.owner, box: point } }
    expect(initFor(weakOwner)).toEqual({ kind: "refused", why: "weak-key" })
    const init = new Uint8Array(goodInit(own.bundle))
    init.set(point, 16)
    const response = { identity: bob, open: own, psk: linkPsk(own.bundle.hash), mode: MODE.link }
    expect(respond(response, init)).toEqual({ kind: "refused", why: "weak-key" })
  }
})

test("[S-12] an encapsulation key that is not canonical is refused", () => {
  const { bundle } = bundleOf(bob, random)
  const encapsulationKey = bundle.encapsulationKey.slice().fill(0xff, 0, 3) as typeof bundle.encapsulationKey
  expect(initFor({ ...bundle, encapsulationKey })).toEqual({ kind: "refused", why: "weak-key" })
})

test("[S-11] an INIT holds a HELLO, and a body of another size is refused", () => {
  const { bundle } = bundleOf(bob, random)
  const psk = linkPsk(bundle.hash)
  const initiation = { identity: alice, inbox: inbox(random), bundle, psk, mode: MODE.link }
  expect(initiate({ ...initiation, frames: text("hello") }, random)).toEqual({
    kind: "refused",
    why: "no-hello",
  })
})

test("one bundle answered twice makes two sessions that share nothing", () => {
  const own = bundleOf(bob, random)
  const response = { identity: bob, open: own, psk: linkPsk(own.bundle.hash), mode: MODE.link }
  const [first, second] = [goodInit(own.bundle), goodInit(own.bundle)].map((init) => respond(response, init))
  if (first?.kind !== "accepted" || second?.kind !== "accepted") throw new Error("refused")
  expect(first.established.sas).not.toEqual(second.established.sas)
  expect(encodeSession(first.established.session)).not.toEqual(encodeSession(second.established.session))
})

test("the parts that Alice reads of Bob's bundle are all in the transcript", () => {
  const own = bundleOf(bob, random)
  const bytes = concat(own.bundle.bytes)
  expect(readBundle(bytes, NOW)).toBeDefined()
  const other = { ...own, bundle: { ...own.bundle, bytes: flipped(bytes, 1320 * 8) } }
  const psk = linkPsk(own.bundle.hash)
  const answer = respond({ identity: bob, open: other, psk, mode: MODE.link }, goodInit(own.bundle))
  expect(answer).toEqual({ kind: "refused", why: "forged" })
})
