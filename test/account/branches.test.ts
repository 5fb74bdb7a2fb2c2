import { expect, test } from "vitest"
import type { AccountChain } from "../../src/account/account-chain.ts"
import { extendChain, lengthAt, settleChain, type KnownChain } from "../../src/account/branches.ts"
import type { ChainLink } from "../../src/account/chain-link.ts"
import {
  addOf,
  aliceAccount,
  appended,
  byDevice,
  byRecoveryKey,
  createOf,
  device,
  laptop,
  paper,
  phone,
  recoveryKey,
  recoveryOf,
  removeOf,
  withDevice,
} from "./account-fixture.ts"

const byPaper = byRecoveryKey(paper)

const known = (chain: AccountChain, compared = 0): KnownChain => ({ chain, rival: undefined, compared })
/** Shows the links of a chain from a number on. */
const show = (state: KnownChain, chain: AccountChain, from = 0) => extendChain(state, chain.links.slice(from))
const outcome = (state: KnownChain, chain: AccountChain, from = 0) => show(state, chain, from).outcome

const base = withDevice(aliceAccount(paper), "phone")
/** The phone is a thief's, and adds another device of the thief's. */
const stolen = appended(base, addOf(base, device("mallory"), phone))
const removal = appended(base, removeOf(base, phone.key, laptop))
const recovered = appended(base, removeOf(base, phone.key, byPaper))

test("a run of links extends what is known, from wherever it begins [A-20]", () => {
  const three = withDevice(base, "tablet")
  const four = appended(three, removeOf(three, phone.key, laptop))
  for (const from of [0, 1, 2]) {
    const shown = show(known(base), four, from)
    expect(shown).toEqual({ known: known(four), outcome: "extended", refused: undefined })
  }
  expect(outcome(known(four), four)).toBe("unchanged")
  expect(outcome(known(four), base)).toBe("unchanged")
  expect(outcome(known(four), four, 3)).toBe("unchanged")
  expect(extendChain(known(four), [])).toEqual({
    known: known(four),
    outcome: "unchanged",
    refused: undefined,
  })
  expect(show(known(four), three).known).toEqual(known(four))
})

test("a run that continues nothing changes nothing [A-20]", () => {
  const three = withDevice(base, "tablet")
  const four = appended(three, removeOf(three, phone.key, laptop))
  const gap = show(known(base), four, 3)
  expect(gap).toEqual({ known: known(base), outcome: "unchanged", refused: "number" })
  const elsewhere = show(known(removal), four, 3)
  expect(elsewhere).toEqual({ known: known(removal), outcome: "unchanged", refused: "previous" })
  const other = extendChain(known(base), [createOf(device("laptop"), { random: new Uint8Array(32) })])
  expect(other).toEqual({ known: known(base), outcome: "unchanged", refused: "previous" })
})

test("a bad link is dropped with all behind it, and locks nothing [A-20]", () => {
  const three = withDevice(base, "tablet")
  const bad = addOf(base, device("tablet"), byDevice(device("mallory")))
  const atEnd = extendChain(known(base), [bad, ...three.links.slice(2)])
  expect(atEnd).toEqual({ known: known(base), outcome: "unchanged", refused: "signer" })
  const inPast = extendChain(known(three), [bad])
  expect(inPast).toEqual({ known: known(three), outcome: "unchanged", refused: "signer" })
  const four = appended(three, removeOf(three, phone.key, laptop))
  const after = removeOf(four, device("nobody's").public.sign, laptop)
  const good = extendChain(known(base), [...four.links.slice(2), after])
  expect(good).toEqual({ known: known(four), outcome: "extended", refused: "unknown-device" })
})

test("links that are repeated, out of order or cut out add nothing that is not there in order [A-20]", () => {
  const three = withDevice(base, "tablet")
  const four = appended(three, removeOf(three, phone.key, laptop))
  const [, , third, fourth] = four.links as [ChainLink, ChainLink, ChainLink, ChainLink]
  const shown = (...links: ChainLink[]) => {
    const result = extendChain(known(base), links)
    return [result.known.chain.links.length, result.outcome, result.refused]
  }
  expect(shown(third, third, fourth)).toEqual([3, "extended", "number"])
  expect(shown(fourth, third)).toEqual([2, "unchanged", "number"])
  expect(shown(third, fourth)).toEqual([4, "extended", undefined])
})

test("a link of the recovery key counts before one of a device, whichever came first [A-21]", () => {
  expect(show(known(stolen), recovered)).toEqual({
    known: known(recovered),
    outcome: "replaced",
    refused: undefined,
  })
  expect(show(known(recovered), stolen)).toEqual({
    known: known(recovered),
    outcome: "outranked",
    refused: undefined,
  })
  const longer = withDevice(stolen, "tablet")
  expect(outcome(known(longer), recovered, 2)).toBe("replaced")
  expect(outcome(known(recovered), longer, 2)).toBe("outranked")
})

test("the first link in which two branches differ decides, not the later ones [A-21]", () => {
  const later = appended(removal, addOf(removal, device("tablet"), byPaper))
  expect(outcome(known(stolen), later)).toBe("forked")
  expect(outcome(known(later), stolen)).toBe("forked")
})

test("a recovery key that the other branch replaced decides nothing [A-21] [A-22]", () => {
  const other = recoveryKey("another")
  const moved = appended(stolen, recoveryOf(stolen, other.publicKey, byPaper))
  expect(outcome(known(moved), recovered)).toBe("forked")
  expect(outcome(known(recovered), moved)).toBe("forked")
  const kept = appended(recovered, recoveryOf(recovered, other.publicKey, byPaper))
  expect(outcome(known(stolen), kept)).toBe("replaced")
  expect(outcome(known(kept), stolen)).toBe("outranked")
})

test("two links of devices, or two of the recovery key, are a fork [A-22]", () => {
  const forked = show(known(stolen), removal)
  expect(forked).toEqual({
    known: { chain: stolen, rival: removal, compared: 0 },
    outcome: "forked",
    refused: undefined,
  })
  const another = appended(base, addOf(base, device("tablet"), byPaper))
  expect(outcome(known(recovered), another)).toBe("forked")
  const unprotected = withDevice(aliceAccount(), "phone")
  const one = appended(unprotected, addOf(unprotected, device("mallory"), phone))
  const two = appended(unprotected, removeOf(unprotected, phone.key, laptop))
  expect(outcome(known(one), two)).toBe("forked")
  const set = appended(unprotected, recoveryOf(unprotected, paper.publicKey, laptop))
  expect(outcome(known(set), two)).toBe("forked")
})

test("both branches of a fork may grow, and the newest of the others is kept [A-22]", () => {
  const { known: forked } = show(known(stolen), removal)
  const longer = withDevice(stolen, "tablet")
  expect(show(forked, longer, 3).known).toEqual({ chain: longer, rival: removal, compared: 0 })
  const grown = withDevice(removal, "desktop")
  expect(show(forked, grown, 3).known).toEqual({ chain: stolen, rival: grown, compared: 0 })
  expect(show(forked, removal).outcome).toBe("unchanged")
  expect(show(forked, stolen).outcome).toBe("unchanged")
  const third = withDevice(base, "desktop")
  expect(show(forked, third).known).toEqual({ chain: stolen, rival: third, compared: 0 })
})

test("a link of the recovery key before both branches ends the fork [A-22]", () => {
  const { known: forked } = show(known(stolen), removal)
  expect(show(forked, recovered)).toEqual({
    known: known(recovered),
    outcome: "replaced",
    refused: undefined,
  })
  expect(outcome(known(recovered), removal)).toBe("outranked")
  const moved = appended(removal, recoveryOf(removal, recoveryKey("another").publicKey, byPaper))
  const { known: open } = show(known(stolen), moved)
  expect(show(open, recovered)).toEqual({
    known: { chain: recovered, rival: moved, compared: 0 },
    outcome: "replaced",
    refused: undefined,
  })
  const { known: opposite } = show(known(moved), stolen)
  expect(show(opposite, recovered).known).toEqual({ chain: moved, rival: recovered, compared: 0 })
})

test("what lost against the recovery key's branch is dropped, whatever else is known [A-21] [A-22]", () => {
  const moved = appended(stolen, recoveryOf(stolen, recoveryKey("another").publicKey, byPaper))
  const { known: forked } = show(known(moved), recovered)
  expect(forked.rival).toEqual(recovered)
  expect(show(forked, removal)).toEqual({ known: forked, outcome: "outranked", refused: undefined })
})

test("words that were compared settle a fork for the head that was shown [A-23]", () => {
  const { known: forked } = show(known(stolen), removal)
  expect(settleChain(forked, removal.head)).toEqual({ chain: removal, rival: undefined, compared: 3 })
  expect(settleChain(forked, stolen.head)).toEqual({ chain: stolen, rival: undefined, compared: 3 })
  expect(settleChain(forked, base.head)).toBeUndefined()
  expect(settleChain(forked, device("laptop").public.sign)).toBeUndefined()
  const grown = withDevice(removal, "tablet")
  const { known: longer } = show(forked, grown)
  expect(settleChain(longer, removal.head)).toEqual({ chain: grown, rival: undefined, compared: 3 })
})

test("a comparison without a fork is remembered, and an older head takes nothing back [A-24]", () => {
  const compared = settleChain(known(removal), removal.head)
  expect(compared).toEqual(known(removal, 3))
  expect(settleChain(compared!, base.head)).toEqual(known(removal, 3))
  const longer = withDevice(removal, "tablet")
  expect(show(compared!, longer).known).toEqual(known(longer, 3))
})

test("a branch that leaves the chain before a head that was compared locks nothing [A-24]", () => {
  const settled = known(removal, 3)
  expect(show(settled, stolen)).toEqual({ known: settled, outcome: "contradicted", refused: undefined })
  const longer = withDevice(removal, "tablet")
  const later = withDevice(removal, "desktop")
  expect(outcome(known(longer, 3), later)).toBe("forked")
  expect(outcome(known(longer, 4), later)).toBe("contradicted")
})

test("the recovery key counts before what was compared, and nothing behind it stays compared [A-24]", () => {
  expect(show(known(stolen, 3), recovered).known).toEqual(known(recovered, 2))
  expect(show(known(stolen, 1), recovered).known).toEqual(known(recovered, 1))
})

test("a head has the length of the chain that it ends [A-23]", () => {
  expect(lengthAt(removal, removal.head)).toBe(3)
  expect(lengthAt(removal, removal.accountId)).toBe(1)
  expect(lengthAt(removal, stolen.head)).toBe(0)
})
