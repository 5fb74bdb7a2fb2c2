import fc from "fast-check"
import { expect, test } from "vitest"
import { equal } from "../../src/crypto/bytes.ts"
import { epochHash, ownerOf, type Epoch } from "../../src/group/epoch.ts"
import { judgeEpoch, TAKEOVERS_MAX, type EpochInForce } from "../../src/group/judge-epoch.ts"
import { accountOf, changed, member, ofThree } from "./group-fixture.ts"

const start = (epoch = ofThree()): EpochInForce => ({ epoch, takeovers: [] })
const [alice, bob, carol, mallory] = ["alice", "bob", "carol", "mallory"].map(accountOf) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
]

/** What happens, in a word. */
function verdict(inForce: EpochInForce, epoch: Epoch, sender: Uint8Array): string {
  const judged = judgeEpoch(inForce, epoch, sender)
  return judged.kind === "taken" ? judged.by : judged.kind === "known" ? "known" : judged.why
}
/** What a member has after it received these, whatever it refused. */
function after(inForce: EpochInForce, ...received: readonly (readonly [Epoch, Uint8Array])[]): EpochInForce {
  return received.reduce((now, [epoch, sender]) => {
    const judged = judgeEpoch(now, epoch, sender)
    return judged.kind === "taken" ? judged.next : now
  }, inForce)
}
const tookOver = (epoch: Epoch, seed = "takeover") =>
  changed(epoch, [member("alice"), member("bob", "owner"), member("carol", "successor")], seed)

test("the owner's next epoch counts, a member's or a stranger's never [G-11]", () => {
  const next = changed(ofThree(), ofThree().members)
  expect(verdict(start(), next, alice)).toBe("owner")
  expect(verdict(start(), next, carol)).toBe("no-right")
  expect(verdict(start(), next, mallory)).toBe("no-right")
})

test("what is known changes nothing; another of the same number is a fork [G-11]", () => {
  const [one, other] = [changed(ofThree(), ofThree().members), changed(ofThree(), ofThree().members, "other")]
  const knowing = after(start(), [one, alice])
  expect(verdict(knowing, one, alice)).toBe("known")
  expect(verdict(knowing, ofThree(), alice)).toBe("known")
  expect(verdict(knowing, other, alice)).toBe("fork")
})

test("a next epoch on another history is refused; a later one is taken as it comes [G-11]", () => {
  const other = changed(ofThree(), ofThree().members, "other")
  const knowing = after(start(), [changed(ofThree(), ofThree().members), alice])
  expect(verdict(knowing, changed(other, other.members), alice)).toBe("another-history")
  expect(verdict(start(), changed(changed(other, other.members), other.members), alice)).toBe("owner")
})

test("a successor takes over, and an owner who is back takes it back [G-12]", () => {
  const takeover = tookOver(ofThree())
  const built = changed(takeover, takeover.members)
  const without = after(start(), [takeover, bob], [built, bob])
  expect(ownerOf(without.epoch)?.account).toEqual(bob)
  const back = changed(ofThree(), ofThree().members, "back")
  expect(verdict(without, back, alice)).toBe("returned-owner")
  expect(after(without, [back, alice])).toEqual({ epoch: back, takeovers: [] })
})

test("an owner who made nothing new says that the epoch before holds [G-12]", () => {
  const without = after(start(), [tookOver(ofThree()), bob])
  expect(after(without, [ofThree(), alice])).toEqual(start())
  expect(verdict(without, changed(ofThree(), ofThree().members), bob)).toBe("fork")
  expect(verdict(without, changed(tookOver(ofThree(), "other"), ofThree().members), alice)).toBe(
    "returned-owner",
  )
})

test("the first of several owners who were passed over counts before the others [G-12]", () => {
  const byBob = tookOver(ofThree())
  const byCarol = changed(byBob, [member("alice"), member("bob"), member("carol", "owner")])
  const lost = after(start(), [byBob, bob], [byCarol, carol])
  expect(ownerOf(lost.epoch)?.account).toEqual(carol)
  const bobsOwn = changed(byBob, byBob.members, "bob is back")
  expect(after(lost, [bobsOwn, bob]).epoch).toEqual(bobsOwn)
  const alicesOwn = changed(ofThree(), ofThree().members, "alice is back")
  expect(after(lost, [bobsOwn, bob], [alicesOwn, alice])).toEqual({ epoch: alicesOwn, takeovers: [] })
  expect(after(lost, [alicesOwn, alice], [bobsOwn, bob]).epoch).toEqual(alicesOwn)
})

test("no more owners can be passed over than are remembered [G-12]", () => {
  let inForce = start()
  for (let count = 0; count < TAKEOVERS_MAX; count += 1) {
    const [owner, next] = count % 2 === 0 ? (["bob", "alice"] as const) : (["alice", "bob"] as const)
    const epoch = changed(inForce.epoch, [member(owner, "owner"), member(next, "successor"), member("carol")])
    const takeover = { owner: accountOf(`lost ${count}`), number: 0, before: epochHash(epoch) }
    inForce = { epoch, takeovers: [...inForce.takeovers, takeover] }
  }
  const successor = inForce.epoch.members.find(({ role }) => role === "successor")!.account
  expect(verdict(inForce, changed(inForce.epoch, inForce.epoch.members), successor)).toBe(
    "too-many-takeovers",
  )
})

test("after a hand-over the new owner's epochs count, and a member that missed it learns from the old one [G-13]", () => {
  const handedOver = changed(ofThree(), [member("alice"), member("carol", "owner")])
  const next = changed(handedOver, handedOver.members)
  expect(after(start(), [handedOver, alice], [next, carol]).epoch).toEqual(next)
  expect(verdict(start(), next, carol)).toBe("no-right")
  expect(after(start(), [next, alice]).epoch).toEqual(next)
  expect(verdict(after(start(), [next, alice]), changed(next, next.members), alice)).toBe("no-right")
})

/** What an owner and a successor who do not hear of each other make, each on its own last one. */
function histories(steps: readonly ("owner" | "successor")[]) {
  let [owners, successors] = [ofThree(), ofThree()]
  const made: (readonly [Epoch, Uint8Array])[] = []
  for (const step of steps) {
    if (step === "owner") {
      owners = changed(owners, owners.members, "owner")
      made.push([owners, alice])
    } else {
      successors = tookOver(successors, "successor")
      made.push([successors, bob])
    }
  }
  return { owners, made }
}

test("whatever was lost and in whatever order it came, the owner's last word ends it for everybody [G-12]", () => {
  const steps = fc.array(fc.constantFrom("owner" as const, "successor" as const), { maxLength: 8 })
  fc.assert(
    fc.property(steps, fc.infiniteStream(fc.nat()), fc.array(fc.boolean()), (taken, order, kept) => {
      const { owners, made } = histories(taken)
      const came = made
        .filter((_, at) => kept[at] !== false)
        .map((message) => ({ message, at: order.next().value as number }))
        .sort((one, other) => one.at - other.at)
        .map(({ message }) => message)
      const end = after(start(), ...came, [owners, alice])
      expect(equal(epochHash(end.epoch), epochHash(owners))).toBe(true)
    }),
  )
})
