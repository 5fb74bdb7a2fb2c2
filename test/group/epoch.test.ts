import fc from "fast-check"
import { expect, test } from "vitest"
import { concat } from "../../src/crypto/bytes.ts"
import {
  decodeEpoch,
  encodeEpoch,
  EPOCH_MAX,
  epochHash,
  epochTopic,
  MEMBERS_MAX,
  nextEpoch,
} from "../../src/group/epoch.ts"
import { foundGroup, groupIdOf } from "../../src/group/group-id.ts"
import { seededRandom } from "../session/session-fixture.ts"
import { accountOf, changed, founded, founding, groupId, member, ofThree } from "./group-fixture.ts"

const HEAD_BYTES = 16 + 4 + 32 + 32
const MEMBER_BYTES = 97

const many = (count: number) => [
  member("alice", "owner"),
  ...Array.from({ length: count - 1 }, (_, at) => member(`member ${at}`)),
]

test("a group id names who made it: Mallory's own random bytes never give Alice's [G-1]", () => {
  expect(groupIdOf(founding)).toEqual(groupId)
  expect(groupIdOf({ ...founding, founder: accountOf("mallory") })).not.toEqual(groupId)
  expect(groupIdOf(foundGroup(accountOf("alice"), seededRandom("another")))).not.toEqual(groupId)
})

test("an epoch of any size is written one way and read back [G-3] [G-4]", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MEMBERS_MAX }), (count) => {
      const epoch = changed(founded(), many(count))
      const bytes = encodeEpoch(epoch)
      expect(bytes.length).toBe(HEAD_BYTES + count * MEMBER_BYTES)
      expect(decodeEpoch(bytes)).toEqual(epoch)
    }),
    { numRuns: 20 },
  )
})

test("an epoch with 128 members fits the bucket of 16,384 [G-3]", () => {
  expect(encodeEpoch(changed(founded(), many(MEMBERS_MAX))).length).toBeLessThan(16_384 - 116 - 4)
})

test("one member more is not made, nor read [G-3]", () => {
  const full = changed(founded(), many(MEMBERS_MAX))
  expect(nextEpoch(full, many(MEMBERS_MAX + 1), seededRandom("full"))).toBeUndefined()
  const last = encodeEpoch(full).slice(-MEMBER_BYTES)
  last.fill(0xff, 1, 33)
  expect(decodeEpoch(concat(encodeEpoch(full), last))).toBeUndefined()
})

test("the last number has no next epoch [G-3]", () => {
  const last = { ...founded(), number: EPOCH_MAX }
  expect(decodeEpoch(encodeEpoch(last))).toEqual(last)
  expect(nextEpoch(last, last.members, seededRandom("after"))).toBeUndefined()
  expect(decodeEpoch(encodeEpoch({ ...last, number: EPOCH_MAX + 1 }))).toBeUndefined()
})

/** What is wrong, and the bytes of its members one after the other. */
const BAD_ROSTERS: Record<string, () => Uint8Array> = {
  "no member": () => rosterBytes([]),
  "no owner": () => rosterBytes([member("alice"), member("bob")]),
  "two owners": () => rosterBytes([member("alice", "owner"), member("bob", "owner")]),
  "two successors": () =>
    rosterBytes([member("alice", "owner"), member("bob", "successor"), member("carol", "successor")]),
  "an owner who does not speak": () => rosterBytes([member("alice", "owner", false)]),
  "one account twice": () => concat(rosterBytes([member("alice", "owner")]), rosterBytes([member("alice")])),
  "another order": () => {
    const bytes = rosterBytes([member("alice", "owner"), member("bob")])
    return concat(bytes.slice(MEMBER_BYTES), bytes.slice(0, MEMBER_BYTES))
  },
  "an unknown right": () => withRights(5 | 8),
  "owner and successor at once": () => withRights(1 | 2 | 4),
  "a member cut off": () => rosterBytes([member("alice", "owner")]).slice(0, -1),
  "a byte too many": () => concat(rosterBytes([member("alice", "owner")]), Uint8Array.of(0)),
}

function rosterBytes(members: ReturnType<typeof many>): Uint8Array {
  const sorted = members.toSorted((one, other) => Buffer.compare(one.account, other.account))
  return encodeEpoch({ ...founded(), members: sorted }).slice(HEAD_BYTES)
}
function withRights(rights: number): Uint8Array {
  return concat(Uint8Array.of(rights), rosterBytes([member("alice", "owner")]).slice(1))
}

test.each(Object.keys(BAD_ROSTERS))("members are refused with %s [G-4]", (what) => {
  const head = encodeEpoch(founded()).slice(0, HEAD_BYTES)
  expect(decodeEpoch(concat(head, BAD_ROSTERS[what]!()))).toBeUndefined()
})

test("bytes that are read are those that would be written [G-4]", () => {
  const honest = encodeEpoch(ofThree())
  fc.assert(
    fc.property(fc.nat(honest.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bytes = honest.with(at, honest[at]! ^ flip)
      const epoch = decodeEpoch(bytes)
      if (epoch !== undefined) expect(encodeEpoch(epoch)).toEqual(bytes)
    }),
  )
})

test("another byte anywhere is another epoch hash [G-5]", () => {
  const epoch = ofThree()
  const bytes = encodeEpoch(epoch)
  const hashes = new Set<string>()
  for (let at = 0; at < bytes.length; at += 1) {
    const other = decodeEpoch(bytes.with(at, bytes[at]! ^ 0x40))
    if (other !== undefined) hashes.add(Buffer.from(epochHash(other)).toString("hex"))
  }
  expect(hashes.size).toBeGreaterThan(64)
  expect(hashes).not.toContain(Buffer.from(epochHash(epoch)).toString("hex"))
})

test("the topic says nothing without the secret: each epoch has another [G-6]", () => {
  const one = ofThree()
  const topics = [one, changed(one, one.members), changed(one, one.members, "other")].map(epochTopic)
  expect(topics.map(({ length }) => length)).toEqual([16, 16, 16])
  expect(new Set(topics.map(String)).size).toBe(3)
})
