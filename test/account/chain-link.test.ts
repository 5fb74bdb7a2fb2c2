import fc from "fast-check"
import { expect, test } from "vitest"
import { createLink } from "../../src/account/create.ts"
import { isSignedBySigner, readLinks, signLink } from "../../src/account/chain-link.ts"
import { concat } from "../../src/crypto/bytes.ts"
import { seededRandom } from "../session/session-fixture.ts"
import {
  addOf,
  aliceAccount,
  appended,
  byDevice,
  byRecoveryKey,
  createOf,
  device,
  hash32,
  linkBytes,
  recoveryKey,
  recoveryOf,
  removeOf,
  TIME,
} from "./account-fixture.ts"

const LENGTHS = [267, 268, 171, 171]

/** One link of each kind. */
function everyKind() {
  const laptop = byDevice(device("laptop"))
  const start = aliceAccount()
  const two = appended(start, addOf(start, device("phone"), laptop, { rights: 0 }))
  const three = appended(two, removeOf(two, device("phone").public.sign, laptop))
  return appended(three, recoveryOf(three, recoveryKey("paper").publicKey, laptop)).links
}

test("a link has the bytes of the specification, and nothing else [A-1]", () => {
  const links = everyKind()
  expect(links.map(({ bytes }) => bytes.length)).toEqual(LENGTHS)
  const read = readLinks(concat(...links.map(({ bytes }) => bytes)))
  expect(read).toEqual({ links, end: "whole" })
  expect(links.map(({ number, time, body }) => ({ number, time, kind: body.kind }))).toEqual([
    { number: 0, time: TIME, kind: "create" },
    { number: 1, time: TIME + 1, kind: "add" },
    { number: 2, time: TIME + 2, kind: "remove" },
    { number: 3, time: TIME + 3, kind: "recovery-key" },
  ])
  expect(links.every(isSignedBySigner)).toBe(true)
})

test("what is written here is what the specification says, for every kind [A-1]", () => {
  const laptop = device("laptop").signSecret
  for (const { bytes, head, ...content } of everyKind()) {
    expect(signLink(content, laptop)).toEqual({ ...content, bytes, head })
  }
  const withKey = createOf(device("laptop"), { recovery: recoveryKey("paper").publicKey })
  expect(signLink(withKey, laptop).bytes).toEqual(withKey.bytes)
})

test("the head of a chain is the hash of its last link, and the account id that of its create link [A-2]", () => {
  const [create] = everyKind()
  const head = hash32(Buffer.from("mqttchat/1 head"), create!.bytes)
  expect(create!.head).toEqual(head)
  expect(aliceAccount().accountId).toEqual(head)
  expect(aliceAccount().head).toEqual(head)
})

test("a create link is of its device, has no recovery key, and is never twice the same [A-3]", () => {
  const laptop = device("laptop")
  const link = createLink(laptop, TIME, seededRandom("create"))
  const random = seededRandom("create")(32)
  expect(link).toEqual(createOf(laptop, { random }))
  expect(link.body).toEqual({ kind: "create", device: laptop.public, recoveryKey: undefined, random })
  expect(createLink(laptop, TIME, seededRandom("another")).head).not.toEqual(link.head)
})

test("a link that is cut off or has rights that do not exist is refused, and all behind it [A-1]", () => {
  const links = everyKind().map(({ bytes }) => bytes)
  const all = concat(...links)
  const ends = links.map((_, index) => concat(...links.slice(0, index + 1)).length)
  fc.assert(
    fc.property(fc.nat(all.length), (length) => {
      const read = readLinks(all.slice(0, length))
      const whole = length === 0 || ends.includes(length)
      expect(read.end).toBe(whole ? "whole" : "malformed")
      expect(read.links.length).toBe(ends.filter((end) => end <= length).length)
    }),
  )
  const rights = concat(links[0]!, links[1]!.with(43 + 64, 2), links[2]!)
  expect(readLinks(rights)).toMatchObject({ end: "malformed", links: { length: 1 } })
})

test("a time that is no whole number of milliseconds that JavaScript can count is refused [A-1]", () => {
  const bytes = Uint8Array.from(everyKind()[2]!.bytes)
  bytes.fill(0xff, 35, 42)
  expect(readLinks(bytes)).toEqual({ links: [], end: "malformed" })
})

test("whatever bytes are read, they are exactly those of the links [A-1]", () => {
  const link = fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.infiniteStream(fc.integer({ min: 0, max: 255 })))
    .map(([kind, stream]) => Uint8Array.from([kind, ...[...stream.take(LENGTHS[kind]! - 1)]]))
  fc.assert(
    fc.property(fc.array(link, { maxLength: 4 }), (parts) => {
      const read = readLinks(concat(...parts))
      const bytes = concat(...read.links.map((each) => each.bytes))
      expect(concat(...parts).slice(0, bytes.length)).toEqual(bytes)
      for (const each of read.links) {
        const again = signLink(each, device("laptop").signSecret).bytes
        expect(again.subarray(0, -64)).toEqual(each.bytes.subarray(0, -64))
      }
    }),
  )
})

test("from a link of an unknown kind on nothing is read [A-11]", () => {
  const [create, add] = everyKind()
  const laptop = byDevice(device("laptop"))
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 255 }), fc.uint8Array({ maxLength: 300 }), (kind, body) => {
      const unknown = linkBytes(kind, { number: 1, previous: create!.head }, body, laptop)
      const read = readLinks(concat(create!.bytes, unknown, add!.bytes))
      expect(read).toEqual({ links: [create], end: "unknown-kind" })
    }),
  )
})

test("a signature counts for its link and its signer only [A-1]", () => {
  const link = everyKind()[2]!
  fc.assert(
    fc.property(fc.nat(link.bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const bytes = link.bytes.with(at, link.bytes[at]! ^ change)
      for (const changed of readLinks(bytes).links) expect(isSignedBySigner(changed)).toBe(false)
    }),
  )
  const other = byRecoveryKey(recoveryKey("paper")).key
  expect(isSignedBySigner({ ...link, signer: other })).toBe(false)
})

test("links do not change with the bytes they were read from [A-1]", () => {
  const links = everyKind()
  const bytes = concat(...links.map((link) => link.bytes))
  const read = readLinks(bytes)
  bytes.fill(0)
  expect(read.links).toEqual(links)
})
