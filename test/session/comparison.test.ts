import fc from "fast-check"
import { afterAll, describe, expect, test } from "vitest"
import { concat, fromHex, toHex, utf8 } from "../../src/crypto/bytes.ts"
import { hash32, kdf } from "../../src/crypto/kdf.ts"
import { BACKENDS, useBackend } from "../../src/crypto/nacl.ts"
import {
  answer,
  commit,
  commitmentTo,
  COMPARISON_TRANSITIONS,
  decodeComparison,
  encodeComparison,
  newNonce,
  onOpening,
  onShare,
  wordsOf,
  type AccountHead,
  type Comparison,
} from "../../src/session/comparison.ts"
import frozen from "../vectors/comparison.json" with { type: "json" }
import { makeComparisonVectors } from "./comparison-vectors.ts"
import { flipped, seededRandom } from "./session-fixture.ts"

const random = seededRandom("comparison")
const sas = random(32)
const alice = accountHead()
const bob = accountHead()

function accountHead(): AccountHead {
  return { account: random(32), head: random(32) }
}

/** Alice answered Bob's offer: her INIT and his WELCOME are made, and nothing has come back yet. */
function begun() {
  const [nonce, share] = [newNonce(random), newNonce(random)]
  const atAlice = commit(sas, nonce, alice)
  const commitment = commitmentTo(nonce)
  const atBob = answer(sas, {
    ...{ nonce: share, commitment, initiator: alice, owner: bob },
    metBefore: true,
  })
  return { atAlice, atBob, nonce, share, commitment }
}

function opened(comparison: Comparison, nonce: Uint8Array): Comparison {
  const opening = onOpening(comparison, nonce)
  if (opening.kind === "refused") throw new Error(opening.why)
  return opening.next
}

test("[S-60] [S-62] Alice has the words with Bob's share, Bob with her OPEN, and they are the same", () => {
  const { atAlice, atBob, nonce, share } = begun()
  expect([wordsOf(atAlice), wordsOf(atBob)]).toEqual([undefined, undefined])
  const words = wordsOf(onShare(atAlice, share, bob))
  expect(words).toHaveLength(32)
  expect(wordsOf(opened(atBob, nonce))).toEqual(words)
})

test("[S-60] [S-62] the commitment and the words are what the clauses say", () => {
  const { atAlice, nonce, share, commitment } = begun()
  expect(commitment).toEqual(hash32(utf8("mqttchat/1 sas"), nonce))
  const label = concat(utf8("mqttchat/1 words"), alice.account, alice.head, bob.account, bob.head)
  expect(wordsOf(onShare(atAlice, share, bob))).toEqual(kdf(sas, concat(nonce, share), label, 32))
})

test("[S-60] a share does not tell the nonce, and no two are alike", () => {
  const { nonce, commitment } = begun()
  expect(commitment).not.toEqual(nonce)
  expect(begun().commitment).not.toEqual(commitment)
})

test("[S-63] an OPEN that differs in one bit from what was committed to is refused", () => {
  const { atBob, nonce } = begun()
  for (let bit = 0; bit < 256; bit++) {
    expect(onOpening(atBob, flipped(nonce, bit))).toEqual({ kind: "refused", why: "wrong-opening" })
  }
  for (const other of [nonce.subarray(1), concat(nonce, nonce), new Uint8Array(32), commitmentTo(nonce)]) {
    expect(onOpening(atBob, other).kind).toBe("refused")
  }
  expect(onOpening(atBob, nonce).kind).toBe("heard")
})

test("[S-61] a second share changes no word at Alice's", () => {
  const { atAlice, share } = begun()
  const first = onShare(atAlice, share, bob)
  expect(onShare(first, newNonce(random), bob)).toBe(first)
  expect(onShare(first, share, accountHead())).toBe(first)
})

test("[S-61] a second OPEN changes no word at Bob's, right or wrong", () => {
  const { atBob, nonce } = begun()
  const first = opened(atBob, nonce)
  expect(opened(first, nonce)).toBe(first)
  expect(opened(first, newNonce(random))).toBe(first)
})

test("[S-61] a share sent to an owner, or an OPEN sent to an initiator, changes nothing", () => {
  const { atAlice, atBob, share } = begun()
  expect(onShare(atBob, newNonce(random), alice)).toBe(atBob)
  expect(opened(atAlice, share)).toBe(atAlice)
})

describe("[S-62] [S-65] the words depend on", () => {
  const { atAlice, share, nonce } = begun()
  const words = wordsOf(onShare(atAlice, share, bob))!
  const bits = fc.nat({ max: 255 })
  const changed: Readonly<Record<string, (bit: number) => Comparison>> = {
    "the SAS": (bit) => onShare({ ...atAlice, sas: flipped(sas, bit) }, share, bob),
    "the initiator's nonce": (bit) => onShare({ ...atAlice, nonce: flipped(nonce, bit) }, share, bob),
    "the owner's share": (bit) => onShare(atAlice, flipped(share, bit), bob),
    "the initiator's account": (bit) =>
      onShare({ ...atAlice, own: { ...alice, account: flipped(alice.account, bit) } }, share, bob),
    "the initiator's head": (bit) =>
      onShare({ ...atAlice, own: { ...alice, head: flipped(alice.head, bit) } }, share, bob),
    "the owner's account": (bit) => onShare(atAlice, share, { ...bob, account: flipped(bob.account, bit) }),
    "the owner's head": (bit) => onShare(atAlice, share, { ...bob, head: flipped(bob.head, bit) }),
    "who began": () => onShare(commit(sas, nonce, bob), share, alice),
  }

  test.each(Object.entries(changed))("%s", (_, change) => {
    fc.assert(
      fc.property(bits, (bit) => {
        const others = wordsOf(change(bit))!
        expect(toHex(others)).not.toBe(toHex(words))
        expect(others.subarray(0, 6)).not.toEqual(words.subarray(0, 6))
      }),
      { numRuns: 40 },
    )
  })
})

/** What may come to a side: the peer's first values, repeated or changed, in any order. */
type Incoming =
  | { readonly kind: "share"; readonly right: boolean; readonly bit: number }
  | { readonly kind: "opening"; readonly right: boolean; readonly bit: number }

const incoming = fc.array(
  fc.record({
    kind: fc.constantFrom("share" as const, "opening" as const),
    right: fc.boolean(),
    bit: fc.nat({ max: 255 }),
  }),
  { maxLength: 8 },
)

function step(comparison: Comparison, came: Incoming, right: { share: Uint8Array; nonce: Uint8Array }) {
  const value = came.kind === "share" ? right.share : right.nonce
  const bytes = came.right ? value : flipped(value, came.bit)
  if (came.kind === "share") return onShare(comparison, bytes, bob)
  const opening = onOpening(comparison, bytes)
  return opening.kind === "refused" ? undefined : opening.next
}

test.each(["committed", "answered"] as const)(
  "[S-61] [S-63] whatever comes to a side that is %s, only the first share or OPEN counts, and it never changes in place",
  (side) => {
    fc.assert(
      fc.property(incoming, (sequence) => {
        const { atAlice, atBob, ...right } = begun()
        let comparison: Comparison = side === "committed" ? atAlice : atBob
        const counted = sequence.find(({ kind }) => kind === (side === "committed" ? "share" : "opening"))
        for (const came of sequence) {
          const before = encodeComparison(comparison)
          const next = step(comparison, came, right)
          expect(encodeComparison(comparison)).toEqual(before)
          if (next === undefined) {
            expect([side, came, comparison.kind]).toEqual(["answered", counted, "answered"])
            return
          }
          const allowed: readonly string[] = Object.values(COMPARISON_TRANSITIONS[comparison.kind])
          expect(next === comparison || allowed.includes(next.kind)).toBe(true)
          comparison = next
        }
        const agreed = wordsOf(onShare(atAlice, right.share, bob))!
        const words = wordsOf(comparison)
        if (counted === undefined) expect(words).toBeUndefined()
        else if (counted.right) expect(words).toEqual(agreed)
        else expect(words).not.toEqual(agreed)
      }),
    )
  },
)

test("the declared transitions are those that happen", () => {
  const { atAlice, atBob, nonce, share } = begun()
  expect(COMPARISON_TRANSITIONS).toEqual({
    committed: { "the owner's share comes": onShare(atAlice, share, bob).kind },
    answered: { "the commitment is opened": opened(atBob, nonce).kind },
    complete: {},
  })
})

test("each state is stored, found again, and written in one way only [W-2]", () => {
  const { atAlice, atBob, share } = begun()
  for (const comparison of [atAlice, atBob, { ...atBob, metBefore: false }, onShare(atAlice, share, bob)]) {
    const stored = encodeComparison(comparison)
    expect(decodeComparison(stored)).toEqual(comparison)
    expect(decodeComparison(stored.subarray(1))).toBeUndefined()
    expect(decodeComparison(stored.subarray(0, -1))).toBeUndefined()
    expect(decodeComparison(concat(stored, Uint8Array.of(0)))).toBeUndefined()
    expect(decodeComparison(stored.with(0, 3))).toBeUndefined()
  }
  expect(decodeComparison(new Uint8Array())).toBeUndefined()
})

test("the words are stored without the SAS and the nonces that they came from", () => {
  const { atAlice, share, nonce } = begun()
  const stored = toHex(encodeComparison(onShare(atAlice, share, bob)))
  for (const secret of [sas, nonce, share]) expect(stored).not.toContain(toHex(secret))
})

describe("the frozen comparison", () => {
  afterAll(async () => {
    await useBackend("tweetnacl")
  })

  test.each(BACKENDS)("is made by %s to the byte", async (backend) => {
    await useBackend(backend)
    expect(makeComparisonVectors()).toEqual(frozen)
  })

  test("is still read, and goes on to the frozen words", () => {
    const { stored, nonceOfInitiator, nonceOfOwner, owner, words } = frozen
    const [atAlice, atBob] = [stored.committed, stored.answered].map((hex) => decodeComparison(fromHex(hex))!)
    const named = { account: fromHex(owner.account), head: fromHex(owner.head) }
    expect(toHex(wordsOf(onShare(atAlice!, fromHex(nonceOfOwner), named))!)).toBe(words)
    expect(toHex(wordsOf(opened(atBob!, fromHex(nonceOfInitiator)))!)).toBe(words)
  })
})
