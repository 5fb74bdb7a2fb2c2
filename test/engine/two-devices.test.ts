import { copyFileSync, createReadStream } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, test } from "vitest"

import { readRecords } from "../../src/backup/records.ts"
import { fillStore } from "../../src/engine/backup/import.ts"
import { nodeFiles } from "../../src/store/files.ts"
import { Database } from "../../src/store/database.ts"
import { identityOf } from "../../src/keystore/identity.ts"
import { readStream } from "../../src/keystore/sealed-stream.ts"
import { lastMessageTo, type TestProfile } from "./engine-fixture.ts"
import { cutOff, deviceOf, twoDevices } from "./two-devices.ts"
import { snapshotsIn } from "./loaded.ts"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const PASSPHRASE = "one file and one passphrase"

const NONE_LOST = (_topic: string, payload: Uint8Array) => [payload]

async function waitingFor(alice: TestProfile, profile: TestProfile): Promise<number> {
  const { id } = await deviceOf(alice, profile)
  const { outgoing } = await alice.store.load()
  return outgoing.filter(({ device, kind }) => device === id && kind === "text").length
}

describe("a text to somebody with two devices", () => {
  test("is one message for the person, and reaches both devices", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    await alice.send("bob", "to both")
    await fixture.clock.pass(1_000)
    for (const device of [laptop, phone]) expect(await device.texts("alice")).toEqual(["to both"])
    expect(await alice.states("bob")).toEqual(["delivered"])
    expect(await alice.client.call("contacts", {})).toMatchObject([
      { name: "bob", state: "established", queued: 0, devices: [{}, {}] },
    ])
  })

  test("is delivered when one device has it; the other one gets it later, and the person is told once", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    cutOff(fixture, phone)
    const id = await alice.send("bob", "first to the laptop")
    await fixture.clock.pass(1_000)
    expect(await alice.states("bob")).toEqual(["delivered"])
    expect(await alice.client.call("outbox", {})).toEqual([])
    expect(await alice.client.call("status", {})).toMatchObject({ queued: 0, undelivered: 0 })
    expect((await alice.client.call("contacts", {}))[0]?.queued).toBe(0)
    const cancelled = alice.client.call("cancel", { contact: "bob", id })
    await expect(cancelled).rejects.toMatchObject({ code: "not-found" })
    expect(await waitingFor(alice, phone)).toBe(1)
    expect(await waitingFor(alice, laptop)).toBe(0)
    fixture.broker.tamper = NONE_LOST
    await fixture.clock.pass(HOUR_MS)
    expect(await phone.texts("alice")).toEqual(["first to the laptop"])
    expect(await waitingFor(alice, phone)).toBe(0)
    const receipts = alice.events.filter((event) => event.kind === "receipt" && event.id === id)
    expect(receipts.map((event) => event.kind === "receipt" && event.state)).toEqual(["broker", "delivered"])
  })

  test("waits as one text, is listed as one, and is cancelled for both", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    fixture.broker.close()
    const id = await alice.send("bob", "changed my mind")
    await alice.send("bob", "not this one")
    await fixture.clock.pass(100)
    expect((await alice.client.call("outbox", {})).map(({ text }) => text)).toEqual([
      "changed my mind",
      "not this one",
    ])
    expect(await alice.client.call("status", {})).toMatchObject({ queued: 2, undelivered: 2 })
    expect((await alice.client.call("contacts", {}))[0]?.queued).toBe(2)
    await alice.client.call("cancel", { contact: "bob", id })
    fixture.broker.reopen()
    await fixture.clock.pass(MINUTE_MS)
    for (const device of [laptop, phone]) expect(await device.texts("alice")).toEqual(["not this one"])
    expect(await alice.states("bob")).toEqual(["cancelled", "delivered"])
  })

  test("is given up for one device without a word, as long as the other one has it", async () => {
    const { fixture, alice, phone } = await twoDevices()
    cutOff(fixture, phone)
    await alice.send("bob", "the phone lies in a drawer")
    await fixture.clock.pass(HOUR_MS)
    await fixture.clock.passDays(31)
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await waitingFor(alice, phone)).toBe(0)
    expect(await alice.states("bob")).toEqual(["delivered"])
    expect((await alice.systemMessages("bob")).filter((line) => line.includes("NOT DELIVERED"))).toEqual([])
  })

  test("is given up once, when no device has it", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    cutOff(fixture, laptop, phone)
    await alice.send("bob", "both lie in a drawer")
    await fixture.clock.pass(HOUR_MS)
    await fixture.clock.passDays(31)
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await alice.states("bob")).toEqual(["given-up"])
    expect((await alice.systemMessages("bob")).filter((line) => line.includes("NOT DELIVERED"))).toHaveLength(
      1,
    )
  })

  test("goes on to one device while the queue of the other is full, and a deletion to both", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    const { id: device } = await deviceOf(alice, phone)
    const id = await alice.send("bob", "regret")
    await fixture.clock.pass(1_000)
    await alice.stop()
    await alice.edit(async (path, key) => {
      const database = await Database.open(path, key, nodeFiles)
      // As much as a device that is gone may have waiting.
      database.run(
        `WITH RECURSIVE n (seq) AS (VALUES (1000) UNION ALL SELECT seq + 1 FROM n WHERE seq < 10999)
         INSERT INTO outgoing (seq, device, mid, kind, delivered, topic, wire, published, attempts, days_tried,
         last_day_tried, due_at, created_at, carries_id, carries_number)
         SELECT seq, ?, randomblob(8), 'text', 0, 't', x'01', 1, 9, 1, 0, ?, ?, randomblob(8), seq FROM n`,
        device,
        fixture.clock.now() + HOUR_MS / 2,
        fixture.clock.now(),
      )
      database.close()
    })
    await alice.start()
    await alice.send("bob", "the laptop still reads")
    await fixture.clock.pass(1_000)
    expect(await laptop.texts("alice")).toEqual(["regret", "the laptop still reads"])
    expect(await alice.states("bob")).toEqual(["delivered", "delivered"])
    await alice.client.call("delete", { contact: "bob", id, forAll: true })
    await fixture.clock.pass(1_000)
    expect(await laptop.texts("alice")).toEqual(["", "the laptop still reads"])
    expect(await phone.texts("alice")).toEqual([""])
  })
})

describe("what belongs to one device never touches the other [D-100]", () => {
  test("a text of either device is shown once, and each is acknowledged to its own", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    await laptop.send("alice", "typed here")
    await phone.send("alice", "and there")
    await fixture.clock.pass(1_000)
    expect((await alice.texts("bob")).slice(-2).toSorted()).toEqual(["and there", "typed here"])
    for (const device of [laptop, phone]) expect((await device.states("alice")).at(-1)).toBe("delivered")
  })

  test("a gap in what one device sent holds back nothing of the other", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    let lost = 0
    fixture.broker.tamper = (topic, payload) =>
      topic.includes(alice.deviceId) && lost++ === 0 ? [] : [payload]
    await laptop.send("alice", "lost on the way")
    await fixture.clock.pass(10)
    fixture.broker.tamper = (topic, payload) => (topic.includes(laptop.deviceId) ? [] : [payload])
    await laptop.send("alice", "waits for it")
    await phone.send("alice", "waits for nothing")
    await fixture.clock.pass(200)
    expect((await alice.texts("bob")).at(-1)).toBe("waits for nothing")
    const { held } = await alice.store.load()
    expect(held.map(({ device }) => device)).toEqual([(await deviceOf(alice, laptop)).id])
    fixture.broker.tamper = NONE_LOST
    await fixture.clock.pass(HOUR_MS)
    expect((await alice.texts("bob")).slice(-2)).toEqual(["lost on the way", "waits for it"])
  })

  test("a frame of one device that comes in the mailbox of the other opens nothing", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    await laptop.send("alice", "mine")
    await fixture.clock.pass(100)
    const fromLaptop = lastMessageTo(fixture, alice)
    await phone.send("alice", "mine, too")
    await fixture.clock.pass(100)
    const { topic } = lastMessageTo(fixture, alice)
    expect(topic).not.toBe(fromLaptop.topic)
    const before = await snapshotsIn(alice.store)
    fixture.broker.inject(topic, fromLaptop.payload)
    await fixture.clock.pass(100)
    expect(await snapshotsIn(alice.store)).toEqual(before)
    expect(await alice.client.call("status", {})).toMatchObject({ dropped: 1 })
  })

  test.each(["laptop", "phone"] as const)(
    "the %s alone recovers from a lost disk, and gets what only it had not",
    async (which) => {
      const devices = await twoDevices()
      const { fixture, alice } = devices
      const [broken, other] =
        which === "laptop" ? [devices.laptop, devices.phone] : [devices.phone, devices.laptop]
      await broken.stop()
      copyFileSync(broken.path, `${broken.path}.copy`)
      await broken.start()
      await alice.send("bob", "before the disk broke")
      await fixture.clock.pass(1_000)
      await broken.crash()
      copyFileSync(`${broken.path}.copy`, broken.path)
      const mark = (await deviceOf(alice, other)).comparison
      await broken.start()
      // Only the other device can acknowledge meanwhile.
      await alice.send("bob", "while it was broken")
      await fixture.clock.pass(50)
      await broken.send("alice", "I am back")
      await fixture.clock.pass(2 * HOUR_MS)
      await alice.send("bob", "afterwards")
      await fixture.clock.pass(HOUR_MS)
      expect((await deviceOf(alice, other)).comparison).toEqual(mark)
      expect(await other.texts("alice")).toEqual([
        "before the disk broke",
        "while it was broken",
        "afterwards",
      ])
      const read = await broken.texts("alice")
      expect(read.filter((text) => text !== "before the disk broke")).toEqual([
        "while it was broken",
        "afterwards",
      ])
      expect(new Set(await alice.states("bob"))).toEqual(new Set(["delivered"]))
      expect(await other.systemMessages("alice")).toEqual([])
    },
  )

  test("a new session of one device carries what it alone had not acknowledged", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    cutOff(fixture, phone)
    for (const text of ["one", "two"]) await alice.send("bob", text)
    await fixture.clock.pass(1_000)
    expect(await alice.states("bob")).toEqual(["delivered", "delivered"])
    fixture.broker.tamper = NONE_LOST
    await phone.client.call("reset", { contact: "alice" })
    await fixture.clock.pass(MINUTE_MS)
    expect(await phone.texts("alice")).toEqual(["one", "two"])
    expect(await laptop.texts("alice")).toEqual(["one", "two"])
    expect(await laptop.systemMessages("alice")).toEqual([])
    expect(await waitingFor(alice, phone)).toBe(0)
  })

  test("a text that is written meanwhile comes after those that wait for one device", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    cutOff(fixture, phone)
    for (const text of ["one", "two"]) await alice.send("bob", text)
    await fixture.clock.pass(1_000)
    await alice.client.call("reset", { contact: "bob" })
    await alice.send("bob", "three")
    await fixture.clock.pass(MINUTE_MS)
    fixture.broker.tamper = NONE_LOST
    await alice.crash()
    await alice.start()
    await alice.send("bob", "four")
    await fixture.clock.pass(2 * HOUR_MS)
    for (const device of [laptop, phone])
      expect(await device.texts("alice")).toEqual(["one", "two", "three", "four"])
  })

  test("an INIT of one device that is repeated does not start a session of the other", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    await laptop.client.call("reset", { contact: "alice" })
    await fixture.clock.pass(1_000)
    const marks = async () => [
      (await deviceOf(alice, laptop)).comparison,
      (await deviceOf(alice, phone)).comparison,
    ]
    const before = await marks()
    const inits = fixture.broker.seen.filter(({ topic }) => topic.includes(alice.deviceId))
    for (const { topic, payload } of inits) fixture.broker.inject(topic, payload)
    await fixture.clock.pass(MINUTE_MS)
    expect(await marks()).toEqual(before)
  })
})

describe("what a person decides about somebody holds for both devices", () => {
  test("blocked: neither is heard, and neither gets anything", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    await alice.client.call("block", { contact: "bob", blocked: true })
    const before = (await alice.texts("bob")).length
    const reached = () =>
      fixture.broker.seen.filter(({ topic }) =>
        [laptop, phone].some(({ deviceId }) => topic.includes(deviceId)),
      ).length
    const seen = reached()
    for (const device of [laptop, phone]) await device.send("alice", "let me in")
    await expect(alice.send("bob", "no")).rejects.toMatchObject({ code: "refused" })
    await fixture.clock.pass(HOUR_MS)
    expect((await alice.texts("bob")).length).toBe(before)
    expect(reached()).toBe(seen)
    await alice.client.call("block", { contact: "bob", blocked: false, withMessages: true })
    await fixture.clock.pass(2 * HOUR_MS)
    expect((await alice.texts("bob")).slice(before)).toEqual(["let me in", "let me in"])
  })

  test("READ, TYPING and the timer go to both, and a change of the timer is one line", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    await alice.client.call("privacy", {
      contact: "bob",
      readReceipts: true,
      typingIndicators: true,
      receiptDelayMs: 0,
    })
    for (const device of [laptop, phone]) await device.send("alice", "read me")
    await fixture.clock.pass(100)
    await alice.client.call("timer", { contact: "bob", timerSeconds: 3_600 })
    await alice.client.call("typing", { contact: "bob", typing: true })
    await alice.client.call("inbox", { markRead: true })
    await fixture.clock.pass(1_000)
    for (const device of [laptop, phone]) {
      expect((await device.states("alice")).at(-1)).toBe("read")
      expect(await device.systemMessages("alice")).toEqual(["alice set messages to disappear after 1 hour"])
      expect(device.events.filter(({ kind }) => kind === "typing")).toHaveLength(1)
    }
    expect(await alice.systemMessages("bob")).toEqual(["you set messages to disappear after 1 hour"])
  })

  test("`reset` renews both connections", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    await alice.client.call("reset", { contact: "bob" })
    await fixture.clock.pass(MINUTE_MS)
    for (const device of [laptop, phone])
      expect(await device.systemMessages("alice")).toEqual(["the connection with alice was renewed"])
    await alice.send("bob", "to both again")
    await fixture.clock.pass(1_000)
    for (const device of [laptop, phone]) expect(await device.texts("alice")).toEqual(["to both again"])
  })

  test("forgotten: nothing of either is left in any table", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    const other = await fixture.profile("carol")
    await fixture.pair(alice, other)
    cutOff(fixture, laptop, phone)
    await alice.send("bob", "soon forgotten")
    await alice.client.call("reset", { contact: "bob" })
    await fixture.clock.pass(MINUTE_MS)
    await alice.client.call("forget", { contact: "bob" })
    const { devices } = await alice.store.load()
    expect(devices).toHaveLength(1)
    await alice.stop()
    const left = await rowsNaming(
      alice,
      devices.map(({ id }) => id),
    )
    expect(left).toEqual([])
    await alice.start()
    await alice.send("carol", "still here")
    await fixture.clock.pass(1_000)
    expect(await other.texts("alice")).toEqual(["still here"])
  })
})

/** Tables with a row of another device than these, or of a contact that is not there. */
async function rowsNaming(profile: TestProfile, known: readonly number[]): Promise<string[]> {
  let left: string[] = []
  await profile.edit(async (path, key) => {
    const database = await Database.open(path, key, nodeFiles)
    const named = database.select(
      (row) => [row.text(0), row.text(1)] as const,
      `SELECT t.name, c.name FROM pragma_table_list t, pragma_table_info(t.name) c
       WHERE t.type = 'table' AND c.name IN ('device', 'contact')`,
    )
    left = named
      .filter(([table, column]) => {
        const of = column === "device" ? known.join() : "SELECT id FROM contacts"
        const sql = `SELECT count(*) FROM ${table} WHERE ${column} IS NOT NULL AND ${column} NOT IN (${of})`
        return database.select((row) => row.number(0), sql)[0] !== 0
      })
      .map(([table]) => table)
    expect(named.length).toBeGreaterThan(12)
    database.close()
  })
  return left
}

describe("a backup", () => {
  test("holds both devices, and its reader makes a session with each", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    cutOff(fixture, laptop, phone)
    await alice.send("bob", "does this still leave?")
    await fixture.clock.pass(100)
    const path = join(dirname(alice.path), "backup")
    await alice.client.call("export", { path, passphrase: PASSPHRASE })
    await alice.stop()
    fixture.broker.tamper = NONE_LOST
    const sealed = await readStream(createReadStream(path), path)
    const { profile, rest } = await readRecords(sealed.unlock(PASSPHRASE))
    const identity = identityOf(profile.signSecret, profile.boxSecret)
    const desktop = await fixture.profile("desktop", { identity, name: () => profile.name })
    expect(await fillStore(desktop.store, rest)).toMatchObject({ contacts: 1 })
    await desktop.stop()
    await desktop.start()
    await fixture.clock.pass(MINUTE_MS)
    await desktop.send("bob", "from the new one")
    await fixture.clock.pass(MINUTE_MS)
    for (const device of [laptop, phone])
      expect(await device.texts("alice")).toEqual(["does this still leave?", "from the new one"])
    expect(await desktop.states("bob")).toEqual(["delivered", "delivered"])
    expect((await desktop.client.call("contacts", {}))[0]?.devices.map(({ state }) => state)).toEqual([
      "established",
      "established",
    ])
  })
})
