import fc from "fast-check"
import { readFileSync } from "node:fs"
import { afterAll, describe, expect, it } from "vitest"

import { decodeRecord, encodeRecord, RECORD_BYTES_MAX, type BackupRecord } from "../../src/backup/contents.ts"
import { readRecords, writeRecords } from "../../src/backup/records.ts"
import { fromHex, type PublicKey, type SecretKey, type SigningKey } from "../../src/crypto/bytes.ts"
import { aliceAccount, withDevice } from "../account/account-fixture.ts"
import { BACKENDS, useBackend } from "../../src/crypto/nacl.ts"
import { readStream, sealStream } from "../../src/keystore/sealed-stream.ts"
import { all, pieces } from "../keystore/pieces.ts"
import { DEVICES_MAX } from "../../src/wire/sizes.ts"
import { atFullCost } from "../cost.ts"
import { counting } from "../recorded-random.ts"
import { backupVectors, PASSPHRASE, RECORDS } from "./frozen.ts"

const frozen = JSON.parse(readFileSync(new URL("../vectors/backup.json", import.meta.url), "utf8")) as {
  backup: string
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const time = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const u32 = fc.nat({ max: 0xffff_ffff })
const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter((it) => Buffer.from(it, "utf8").toString("utf8") === it && Buffer.byteLength(it) <= 256)
const text = fc
  .string({ unit: "grapheme", maxLength: 200 })
  .filter((it) => Buffer.from(it, "utf8").toString("utf8") === it)

const address = fc.record({
  host: fc.constantFrom("pi", "10.0.0.5", "fe80::1", "a.b"),
  port: fc.integer({ min: 1, max: 65_535 }),
})
const nodes = fc.uniqueArray(address, {
  minLength: 1,
  maxLength: 5,
  selector: ({ host, port }) => `${host} ${port}`,
})
const withoutTls = fc.record({ nodes, proof: fc.constant({ kind: "insecure" }) })
const withTls = fc.record(
  {
    nodes,
    guests: address,
    proof: fc.oneof(
      fc.constant({ kind: "name" }),
      fc.record({ kind: fc.constant("pin"), pin: bytes(16).filter((pin) => pin.some((byte) => byte > 0)) }),
    ),
    registrar: bytes(32).map((key) => key as PublicKey),
  },
  { requiredKeys: ["nodes", "proof"] },
)
const broker = fc.oneof(withTls, withoutTls)
const credential = fc.oneof(
  fc.constant(undefined),
  fc.constant({ kind: "restored" }),
  fc.record({ kind: fc.constant("invitation"), bytes: bytes(72) }),
  fc.record(
    { kind: fc.constant("account"), deviceId: fc.constant(""), username: text, password: text },
    { requiredKeys: ["kind", "deviceId"] },
  ),
)
const replyTo = fc.record({ author: bytes(8), id: bytes(8), digest: bytes(16) })
const recipient = fc.record({
  contact: u32,
  at: time,
  state: fc.constantFrom("queued", "broker", "delivered", "read", "given-up", "cancelled"),
})
const theirs = { mine: fc.constant(false), recipients: fc.constant([]) }
const ours = { mine: fc.constant(true), recipients: fc.array(recipient, { maxLength: 3 }) }

const pending = { isPending: fc.constant(true), state: fc.constantFrom("delivered", "read") }

const LINKS = withDevice(aliceAccount(), "phone").links
const records = fc.oneof(
  fc.record({
    record: fc.constant("profile"),
    profile: fc.record({
      signSecret: bytes(32).map((key) => key as SigningKey),
      boxSecret: bytes(32).map((key) => key as SecretKey),
      name,
      broker: fc.option(broker, { nil: undefined }),
      credential,
    }),
  }),
  fc.record({
    record: fc.constant("contact"),
    contact: fc.record({
      id: fc.integer({ min: 1, max: 0xffff_ffff }),
      name,
      ...{ verified: fc.boolean(), blocked: fc.boolean(), readReceipts: fc.boolean(), typing: fc.boolean() },
      ...{ addedAt: time, changedAt: time, receiptDelay: u32, timer: u32, timerSetAt: time },
      ...{ comparedLinks: fc.nat(0xffff), lockedAt: time },
      ...{ mutedUntil: time, draft: fc.string({ maxLength: 300 }) },
      introducedBy: fc.option(fc.record({ account: bytes(32), name }), { nil: undefined }),
    }),
  }),
  fc.record({
    record: fc.constant("link"),
    link: fc
      .record({ contact: u32, branch: fc.nat(1), link: fc.constantFrom(...LINKS) })
      .map(({ link: { number, bytes: link }, ...where }) => ({ ...where, number, link })),
  }),
  fc.record({
    record: fc.constant("device"),
    device: fc.record({
      ...{ contact: u32, key: bytes(64), peerInbox: bytes(32), mailbox: bytes(16) },
      ...{ recoverySecret: bytes(32), recoveryBundle: fc.oneof(bytes(0), bytes(1402)) },
    }),
  }),
  fc.record({
    record: fc.constant("message"),
    message: withDigest({
      ...{ contact: u32, id: bytes(8), text, replyTo: fc.option(replyTo, { nil: undefined }) },
      supersededKey: fc.constantFrom(undefined, "compared", "uncompared"),
      isPending: fc.constant(false),
      ...{ sentAt: time, storedAt: time, shown: fc.boolean(), timer: u32, expiresAt: time },
      state: fc.constantFrom("queued", "broker", "delivered", "read", "given-up", "cancelled", "received"),
    }),
  }),
  fc.record({
    record: fc.constant("known-id"),
    known: fc.record({ contact: u32, mine: fc.boolean(), id: bytes(8), digest: bytes(16), at: time }),
  }),
) as fc.Arbitrary<BackupRecord>

/** A line has none; only a text of ours has recipients. */
function withDigest(fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> {
  return fc.oneof(
    fc.record({ ...fields, ...theirs, kind: fc.constant("text"), digest: bytes(16) }),
    fc.record({ ...fields, ...ours, kind: fc.constant("text"), digest: bytes(16) }),
    fc.record({ ...fields, ...ours, ...pending, kind: fc.constant("text"), digest: bytes(16) }),
    fc.record({ ...fields, ...theirs, kind: fc.constant("line"), digest: bytes(0) }),
  )
}

async function contentsOf(...given: readonly BackupRecord[]): Promise<Uint8Array> {
  return all(writeRecords(given))
}

async function readAll(contents: Uint8Array): Promise<readonly BackupRecord[]> {
  const { profile, rest } = await readRecords(pieces(contents, 1_000))
  const read: BackupRecord[] = [{ record: "profile", profile }]
  for await (const each of rest) read.push(each)
  return read
}

afterAll(async () => {
  await useBackend("tweetnacl")
})

describe("a record of a backup", () => {
  it("comes back as it was written [B-3] [B-4] [B-5] [B-6]", () => {
    const survives = (it: BackupRecord) => {
      expect(decodeRecord(encodeRecord(it))).toEqual(it)
    }
    fc.assert(fc.property(records, survives), { numRuns: 400 })
  })

  it("has one encoding: any bytes that decode encode to the same bytes [W-2] [B-3]", () => {
    const spoilt = fc.tuple(records.map(encodeRecord), fc.nat(), fc.nat({ max: 255 }), fc.boolean())
    const check = ([whole, at, value, isCut]: [Uint8Array, number, number, boolean]) => {
      const position = at % whole.length
      const other = isCut ? whole.subarray(0, position) : whole.with(position, value)
      const read = decodeRecord(other)
      if (read !== undefined) expect(encodeRecord(read)).toEqual(new Uint8Array(other))
    }
    fc.assert(fc.property(spoilt, check), { numRuns: 2_000 })
  })

  it("is not read from random bytes, which cause no other error", () => {
    const check = (it: Uint8Array) => {
      const read = decodeRecord(it)
      if (read !== undefined) expect(encodeRecord(read)).toEqual(it)
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2_000 }), check), { numRuns: 2_000 })
    expect(decodeRecord(new Uint8Array(RECORD_BYTES_MAX + 1).fill(3))).toBeUndefined()
  })

  it("never brings a device's certificate, nor the device id of another machine [B-4]", () => {
    const [profile] = RECORDS
    if (profile?.record !== "profile") throw new Error("no profile")
    const withOne = (kind: "device" | "account") => {
      const credential = { kind, deviceId: "A", certificate: "C", key: "K" } as const
      return encodeRecord({ record: "profile", profile: { ...profile.profile, credential } })
    }
    expect(decodeRecord(withOne("device"))).toBeUndefined()
    expect(decodeRecord(withOne("account"))).toBeUndefined()
  })
})

describe("the contents of a backup", () => {
  const links = RECORDS.filter(({ record }) => record === "link")
  const [own, one, two, rivalOne, rivalTwo] = links
  const [profile, bob, laptop, phone, carol, tablet, ...messages] = RECORDS.filter(
    ({ record }) => record !== "link",
  ) as [
    BackupRecord,
    BackupRecord,
    Extract<BackupRecord, { record: "device" }>,
    BackupRecord,
    BackupRecord,
    BackupRecord,
    BackupRecord,
  ]
  const known = RECORDS.find(({ record }) => record === "known-id")!
  const edit = RECORDS.find(({ record }) => record === "change")!
  const further = (count: number): BackupRecord[] =>
    Array.from({ length: count }, (_, number) => ({
      record: "device",
      device: { ...laptop.device, key: laptop.device.key.with(0, number) },
    }))

  it("are read in the order in which they were written [B-2]", async () => {
    expect(await readAll(await contentsOf(...RECORDS))).toEqual(RECORDS)
  })

  it("are refused in any other order, or with a message of an unknown contact [B-3]", async () => {
    for (const wrong of [
      [bob, profile],
      [profile, profile],
      [profile, carol, bob],
      [profile, bob, bob],
      [profile, bob, ...messages],
      [profile, bob, messages[0], carol],
      [profile, laptop],
      [profile, bob, tablet],
      [profile, bob, laptop, carol, phone],
      [profile, bob, laptop, laptop],
      [profile, bob, messages[0], laptop],
      [profile, bob, known, messages[0]],
      [profile, bob, known, edit],
      [profile, bob, known, laptop],
      [profile, bob, known, carol],
      [profile, carol, known],
      [profile, known],
      [profile, bob, ...further(DEVICES_MAX + 1)],
      [own, profile],
      [profile, one],
      [profile, own, own],
      [profile, bob, own],
      [profile, carol, one],
      [profile, bob, two],
      [profile, bob, one, one],
      [profile, bob, rivalOne],
      [profile, bob, one, rivalTwo],
      [profile, bob, one, rivalOne, two],
      [profile, bob, laptop, one],
      [profile, bob, messages[0], one],
      [],
    ] as BackupRecord[][]) {
      await expect(readAll(await contentsOf(...wrong))).rejects.toMatchObject({ code: "bad-data" })
    }
  })

  it("hold the links of an account, and those of the other side of a fork [B-10]", async () => {
    const whole = [profile, own, bob, one, two, rivalOne, rivalTwo, laptop, carol] as BackupRecord[]
    expect(await readAll(await contentsOf(...whole))).toEqual(whole)
    expect(decodeRecord(Uint8Array.of(5, ...new Uint8Array(5), 9))).toBeUndefined()
    const first = encodeRecord(one!)
    expect(decodeRecord(first.with(5, 2))).toBeUndefined()
    expect(decodeRecord(new Uint8Array([...first, ...first.subarray(6)]))).toBeUndefined()
  })

  it("hold ids of texts that are gone, 42 bytes for each, after all messages [B-11]", async () => {
    const whole = [profile, bob, messages[0], edit, known, known] as BackupRecord[]
    expect(await readAll(await contentsOf(...whole))).toEqual(whole)
    expect((await contentsOf(known)).length).toBe(42)
    expect(decodeRecord(encodeRecord(known).with(5, 2))).toBeUndefined()
  })

  it("hold eight devices of a contact, and of each side of a fork [B-3]", async () => {
    const fork = [one, two, rivalOne] as BackupRecord[]
    for (const whole of [
      [profile, bob, ...further(DEVICES_MAX)],
      [profile, bob, ...fork, ...further(2 * DEVICES_MAX)],
    ])
      expect(await readAll(await contentsOf(...whole))).toEqual(whole)
    for (const wrong of [
      [profile, bob, one, ...further(DEVICES_MAX + 1)],
      [profile, bob, ...fork, ...further(2 * DEVICES_MAX + 1)],
    ] as BackupRecord[][])
      await expect(readAll(await contentsOf(...wrong))).rejects.toMatchObject({ code: "bad-data" })
  })

  it("are refused when a record is longer than the largest, or not as long as it declares [B-2]", async () => {
    const whole = await contentsOf(...RECORDS)
    const [first] = whole
    const wrong = [
      whole.subarray(0, whole.length - 1),
      whole.subarray(0, 3),
      whole.with(0, first! - 1),
      whole.with(3, 1),
      Buffer.concat([whole, Buffer.from([0, 0, 0, 0])]),
    ]
    for (const it of wrong) await expect(readAll(it)).rejects.toMatchObject({ code: "bad-data" })
  })
})

describe("a backup", () => {
  it.each(BACKENDS)("is written by %s as the frozen bytes [B-1] to [B-6]", async (backend) => {
    atFullCost()
    await useBackend(backend)
    expect(await backupVectors()).toEqual(frozen)
  })

  it("in the frozen format is still read", async () => {
    const sealed = await readStream(pieces(fromHex(frozen.backup), 500), "it")
    expect(await readAll(await all(sealed.unlock(PASSPHRASE)))).toEqual(RECORDS)
  })
})

describe("a backup of any length", () => {
  const LENGTH = 100_000
  const text = RECORDS.find(({ record }) => record === "message")!
  const recordBytes = encodeRecord(text).length + 4
  /** One chunk, the read-ahead that shows whether it is the last, and one record more. */
  const aheadMax = Math.ceil((2 * 65_536) / recordBytes) + 1

  it("is written and read a chunk at a time [B-2]", async () => {
    let [made, read] = [0, 0]
    let aheadMost = 0
    function* long(): Generator<BackupRecord> {
      yield* RECORDS.slice(0, 6)
      for (; made < LENGTH; made++) yield text
    }
    const written = sealStream(writeRecords(long()), PASSPHRASE, counting(0))
    const sealed = await readStream(written, "it")
    const { rest } = await readRecords(sealed.unlock(PASSPHRASE))
    for await (const { record } of rest) {
      if (record === "message") read++
      aheadMost = Math.max(aheadMost, made - read)
    }
    expect(read).toBe(LENGTH)
    expect(aheadMost).toBeLessThan(2 * aheadMax)
  })
})
