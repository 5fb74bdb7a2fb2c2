import { expect, test } from "vitest"
import { chainUpTo, isLive, type AccountChain } from "../../src/account/account-chain.ts"
import type { ChainLink } from "../../src/account/chain-link.ts"
import { appendLink, LINKS_MAX, startChain } from "../../src/account/judge.ts"
import { fromHex, type VerifyKey } from "../../src/crypto/bytes.ts"
import { sign } from "../../src/crypto/nacl.ts"
import { DEVICES_MAX } from "../../src/wire/sizes.ts"
import {
  addOf,
  aliceAccount,
  appended,
  byDevice,
  byRecoveryKey,
  createOf,
  device,
  endOf,
  joinBytes,
  laptop,
  paper,
  parse,
  phone,
  recoveryKey,
  recoveryOf,
  removeOf,
  started,
  withDevice,
  ZEROS,
} from "./account-fixture.ts"

const mallory = byDevice(device("mallory"))

const startWhy = (link: ChainLink) => {
  const judged = startChain(link)
  return judged.kind === "refused" ? judged.why : judged.kind
}
const why = (chain: AccountChain, link: ChainLink) => {
  const judged = appendLink(chain, link)
  return judged.kind === "refused" ? judged.why : judged.kind
}
/** Changes the last byte: the signature. */
const forged = ({ bytes }: ChainLink) => parse(bytes.with(-1, bytes.at(-1)! ^ 1))
const names = ({ devices }: AccountChain) =>
  devices.map(({ identity }) =>
    ["laptop", "phone", "tablet", "mallory"].find((name) =>
      device(name).public.sign.every((byte, at) => byte === identity.sign[at]),
    ),
  )

/** The y coordinates of all points of small order, and spellings of them that are not canonical. */
const SMALL_ORDER = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000080",
].map((hex) => fromHex(hex) as VerifyKey)

test("an account begins with a create link of its device, and no other is good [A-3]", () => {
  const link = createOf(device("laptop"))
  const chain = started(link)
  expect(chain).toMatchObject({ accountId: link.head, head: link.head, links: [link] })
  expect(chain.devices).toEqual([{ identity: device("laptop").public, mayChange: true }])
  expect(chain.recoveryKey).toBeUndefined()
  expect(startWhy(createOf(device("laptop"), { signer: mallory }))).toBe("signer")
  expect(startWhy(createOf(device("laptop"), { at: { number: 1, previous: ZEROS } }))).toBe("number")
  expect(startWhy(createOf(device("laptop"), { at: { number: 0, previous: link.head } }))).toBe("previous")
  expect(startWhy(forged(link))).toBe("signature")
  expect(startWhy(removeOf(chain, phone.key, laptop, { number: 0, previous: ZEROS }))).toBe("number")
  expect(why(chain, createOf(device("phone"), { at: endOf(chain) }))).toBe("number")
})

test("the keys of a create link are good ones, and three different ones [A-8] [A-9]", () => {
  const { sign: signing, box } = device("laptop").public
  const create = (recovery: Uint8Array) => startWhy(createOf(device("laptop"), { recovery }))
  expect(create(paper.publicKey)).toBe("good")
  expect(started(createOf(device("laptop"), { recovery: paper.publicKey })).recoveryKey).toEqual(
    paper.publicKey,
  )
  for (const key of SMALL_ORDER) expect(create(key)).toBe("weak-key")
  expect(create(signing)).toBe("key-reused")
  expect(create(box)).toBe("key-reused")
  const halvesAlike = { ...device("laptop"), public: { sign: box as Uint8Array as typeof signing, box } }
  expect(startWhy(createOf(halvesAlike))).toBe("key-reused")
})

test("a live device that may change the chain adds another, which agrees [A-4] [A-7]", () => {
  const two = withDevice(aliceAccount(), "phone", 0)
  expect(two.devices).toEqual([
    { identity: device("laptop").public, mayChange: true },
    { identity: device("phone").public, mayChange: false },
  ])
  expect(why(two, addOf(two, device("tablet"), phone))).toBe("signer")
  expect(why(two, addOf(two, device("tablet"), mallory))).toBe("signer")
  const three = withDevice(aliceAccount(), "phone", 1)
  const added = appended(three, addOf(three, device("tablet"), phone))
  expect(names(added)).toEqual(["laptop", "phone", "tablet"])
  expect(why(three, forged(addOf(three, device("tablet"), phone)))).toBe("signature")
})

test("a consent counts for one account, number, head, device and right [A-4]", () => {
  const chain = aliceAccount()
  const [at, added] = [endOf(chain), device("phone")]
  const consented = (...[account, position, who, rights]: Parameters<typeof joinBytes>) =>
    why(
      chain,
      addOf(chain, added, laptop, {
        consent: sign(joinBytes(account, position, who, rights), added.signSecret),
      }),
    )
  expect(consented(chain.accountId, at, added, 1)).toBe("good")
  expect(consented(ZEROS, at, added, 1)).toBe("consent")
  expect(consented(chain.accountId, { ...at, number: 2 }, added, 1)).toBe("consent")
  expect(consented(chain.accountId, { ...at, previous: ZEROS }, added, 1)).toBe("consent")
  expect(consented(chain.accountId, at, device("tablet"), 1)).toBe("consent")
  expect(consented(chain.accountId, at, added, 0)).toBe("consent")
  const byAnother = sign(joinBytes(chain.accountId, at, added, 1), device("laptop").signSecret)
  expect(why(chain, addOf(chain, added, laptop, { consent: byAnother }))).toBe("consent")
})

test("a friend's signing key with another encryption key is not the friend's device [A-12]", () => {
  const chain = withDevice(aliceAccount(), "phone")
  const { sign: signing, box } = device("phone").public
  expect(isLive(chain, { sign: signing, box })).toBe(true)
  expect(isLive(chain, { sign: signing, box: device("mallory").public.box })).toBe(false)
  expect(isLive(chain, { sign: device("mallory").public.sign, box })).toBe(false)
  expect(isLive(appended(chain, removeOf(chain, signing, laptop)), { sign: signing, box })).toBe(false)
})

test("a device is removed by one that may change the chain, by the recovery key, or by itself [A-5] [A-7]", () => {
  const chain = withDevice(withDevice(aliceAccount(paper), "phone", 0), "tablet", 0)
  expect(names(appended(chain, removeOf(chain, phone.key, laptop)))).toEqual(["laptop", "tablet"])
  expect(names(appended(chain, removeOf(chain, phone.key, byRecoveryKey(paper))))).toEqual([
    "laptop",
    "tablet",
  ])
  expect(names(appended(chain, removeOf(chain, phone.key, phone)))).toEqual(["laptop", "tablet"])
  expect(why(chain, removeOf(chain, phone.key, byDevice(device("tablet"))))).toBe("signer")
  expect(why(chain, removeOf(chain, phone.key, mallory))).toBe("signer")
  expect(why(chain, removeOf(chain, mallory.key, mallory))).toBe("signer")
  expect(why(chain, removeOf(chain, mallory.key, laptop))).toBe("unknown-device")
  expect(why(chain, removeOf(chain, device("phone").public.box, laptop))).toBe("unknown-device")
  const without = appended(chain, removeOf(chain, phone.key, laptop))
  expect(why(without, removeOf(without, phone.key, laptop))).toBe("unknown-device")
  expect(why(without, removeOf(without, phone.key, phone))).toBe("signer")
})

test("what a device that may not change the chain signs is refused once it was removed, too [A-7]", () => {
  const chain = withDevice(aliceAccount(), "phone")
  const removed = appended(chain, removeOf(chain, phone.key, laptop))
  expect(why(removed, addOf(removed, device("tablet"), phone))).toBe("signer")
  expect(why(removed, recoveryOf(removed, paper.publicKey, phone))).toBe("signer")
})

test("a recovery key is set by a device only while there is none, and then by itself [A-6] [A-7]", () => {
  const other = recoveryKey("another")
  const chain = withDevice(aliceAccount(), "phone", 0)
  expect(why(chain, recoveryOf(chain, paper.publicKey, phone))).toBe("signer")
  const set = appended(chain, recoveryOf(chain, paper.publicKey, laptop))
  expect(set.recoveryKey).toEqual(paper.publicKey)
  expect(why(set, recoveryOf(set, other.publicKey, laptop))).toBe("signer")
  const next = appended(set, recoveryOf(set, other.publicKey, byRecoveryKey(paper)))
  expect(next.recoveryKey).toEqual(other.publicKey)
  expect(why(next, addOf(next, device("tablet"), byRecoveryKey(paper)))).toBe("signer")
  expect(names(appended(next, addOf(next, device("tablet"), byRecoveryKey(other))))).toEqual([
    "laptop",
    "phone",
    "tablet",
  ])
  expect(why(next, recoveryOf(next, ZEROS, byRecoveryKey(other)))).toBe("weak-key")
})

test("a key that anyone can sign for is refused in every field [A-8]", () => {
  const chain = aliceAccount()
  for (const key of [...SMALL_ORDER, ZEROS as VerifyKey]) {
    const weak = { ...device("phone"), public: { sign: key, box: device("phone").public.box } }
    expect(why(chain, addOf(chain, weak, laptop))).toBe("weak-key")
    expect(why(chain, recoveryOf(chain, key, laptop))).toBe("weak-key")
    expect(startWhy(createOf(weak))).toBe("weak-key")
  }
})

test("an encryption key has one spelling [A-8]", () => {
  const chain = aliceAccount()
  const box = (bytes: Uint8Array) => {
    const { sign: signing } = device("phone").public
    const spelt = {
      ...device("phone"),
      public: { sign: signing, box: bytes as ReturnType<typeof device>["public"]["box"] },
    }
    return why(chain, addOf(chain, spelt, laptop))
  }
  const prime = fromHex(`ed${"ff".repeat(30)}7f`)
  const own = device("laptop").public.box
  expect(box(own.with(31, own[31]! | 0x80))).toBe("weak-key")
  expect(box(prime)).toBe("weak-key")
  expect(box(prime.with(0, 0xff))).toBe("weak-key")
  expect(box(prime.with(31, 0x80))).toBe("weak-key")
  expect(box(prime.with(0, 0xec))).toBe("good")
  expect(box(prime.with(7, 0xfe))).toBe("good")
  expect(box(prime.with(31, 0x7e))).toBe("good")
  expect(box(own)).toBe("key-reused")
})

test("no key stands twice, also not after its device was removed, and not as one and as the other [A-9]", () => {
  const chain = withDevice(aliceAccount(paper), "phone")
  const removed = appended(chain, removeOf(chain, phone.key, laptop))
  const { sign: signing, box } = device("phone").public
  const halves = (name: string, half: Partial<ReturnType<typeof device>["public"]>) => ({
    ...device(name),
    public: { ...device(name).public, ...half },
  })
  for (const known of [chain, removed]) {
    expect(why(known, addOf(known, device("phone"), laptop))).toBe("key-reused")
    expect(why(known, addOf(known, halves("tablet", { sign: signing }), laptop))).toBe("key-reused")
    expect(why(known, addOf(known, halves("tablet", { box }), laptop))).toBe("key-reused")
    expect(why(known, recoveryOf(known, signing, byRecoveryKey(paper)))).toBe("key-reused")
    expect(why(known, recoveryOf(known, box, byRecoveryKey(paper)))).toBe("key-reused")
    expect(why(known, recoveryOf(known, paper.publicKey, byRecoveryKey(paper)))).toBe("key-reused")
    expect(why(known, addOf(known, halves("tablet", { sign: paper.publicKey }), laptop))).toBe("key-reused")
  }
  const other = recoveryKey("another")
  const replaced = appended(removed, recoveryOf(removed, other.publicKey, byRecoveryKey(paper)))
  expect(why(replaced, recoveryOf(replaced, paper.publicKey, byRecoveryKey(other)))).toBe("key-reused")
})

test("an account without a device that may change it needs a recovery key [A-10]", () => {
  const chain = withDevice(aliceAccount(), "phone", 0)
  expect(why(chain, removeOf(chain, laptop.key, laptop))).toBe("no-device-may-change")
  const two = withDevice(aliceAccount(), "phone", 1)
  expect(names(appended(two, removeOf(two, laptop.key, laptop)))).toEqual(["phone"])
  const recoverable = aliceAccount(paper)
  const empty = appended(recoverable, removeOf(recoverable, laptop.key, laptop))
  expect(empty.devices).toEqual([])
  expect(names(appended(empty, addOf(empty, device("tablet"), byRecoveryKey(paper))))).toEqual(["tablet"])
})

test("an account has eight live devices at most [A-10]", () => {
  const full = Array.from({ length: DEVICES_MAX - 1 }, (_, number) => `device ${number}`).reduce(
    (chain, name) => withDevice(chain, name),
    aliceAccount(),
  )
  expect(full.devices).toHaveLength(8)
  expect(why(full, addOf(full, device("phone"), laptop))).toBe("too-many-devices")
  const room = appended(full, removeOf(full, device("device 3").public.sign, laptop))
  expect(why(room, addOf(room, device("phone"), laptop))).toBe("good")
})

test("a chain has 256 links at most [A-10]", () => {
  let chain = aliceAccount(paper)
  let key = paper
  while (chain.links.length < LINKS_MAX) {
    const next = recoveryKey(`paper ${chain.links.length}`)
    chain = appended(chain, recoveryOf(chain, next.publicKey, byRecoveryKey(key)))
    key = next
  }
  expect(chain.links).toHaveLength(256)
  expect(why(chain, addOf(chain, device("phone"), laptop))).toBe("too-many-links")
})

test("a link stands at one number behind one head [A-2]", () => {
  const one = aliceAccount()
  const two = withDevice(one, "phone")
  const third = addOf(two, device("tablet"), laptop)
  expect(why(one, third)).toBe("number")
  expect(why(appended(two, third), third)).toBe("number")
  expect(why(two, addOf(two, device("tablet"), laptop, { at: { number: 2, previous: one.head } }))).toBe(
    "previous",
  )
  expect(why(two, addOf(two, device("tablet"), laptop, { at: { number: 1, previous: two.head } }))).toBe(
    "number",
  )
})

test("a judgement changes no chain that it was given [A-10]", () => {
  const chain = withDevice(aliceAccount(), "phone")
  const before = structuredClone(chain)
  appended(chain, addOf(chain, device("tablet"), laptop))
  appended(chain, removeOf(chain, phone.key, laptop))
  appended(chain, recoveryOf(chain, paper.publicKey, laptop))
  expect(chain).toEqual(before)
  const three = appended(chain, addOf(chain, device("tablet"), laptop))
  expect(chainUpTo(three, 2)).toEqual(chain)
  expect(chainUpTo(three, 3)).toEqual(three)
  expect(() => chainUpTo(three, 0)).toThrow(RangeError)
})
