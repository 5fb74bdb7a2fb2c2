import { createReadStream } from "node:fs"
import { describe, expect, test } from "vitest"
import type { BackupRecord } from "../../src/backup/contents.ts"
import { readRecords } from "../../src/backup/records.ts"
import { fillStore } from "../../src/engine/backup/import.ts"
import { readStream } from "../../src/keystore/sealed-stream.ts"
import { MINUTE_MS } from "../../src/time-units.ts"
import { backUp, PASSPHRASE } from "./backup-fixture.ts"
import { replacedContact } from "./candidate.ts"
import { couple, type EngineFixture, type TestProfile } from "./engine-fixture.ts"
import { saysSame } from "./words-fixture.ts"

const reasonsOf = async (profile: TestProfile) =>
  (await profile.client.call("outbox", {})).map(({ text, reason }) => [text, reason])

describe("what waits says why, or ends with a word [D-144]", () => {
  test("texts to an old key, after another has taken its place: in a line, and in the outbox", async () => {
    const { fixture, alice, candidate } = await replacedContact(async (before) => {
      for (const text of ["one", "two"]) await before.alice.send("bob", text)
    })
    expect((await alice.systemMessages("bob")).at(-1)).toBe(
      "bob's key changed: compare it before you continue; until then 2 messages to them wait: mqttchat verify bob",
    )
    const why = "you have not compared the new key of bob"
    expect(await reasonsOf(alice)).toEqual([
      ["one", why],
      ["two", why],
    ])
    await saysSame(alice, "bob")
    await fixture.clock.pass(MINUTE_MS)
    expect((await candidate.texts("alice")).slice(-2)).toEqual(["one", "two"])
    expect(await reasonsOf(alice)).toEqual([])
  })

  test("a backup without a recovery bundle of the contact says that they pair again", async () => {
    const { fixture, alice } = await couple()
    await alice.send("bob", "sent")
    const laptop = await changed(fixture, alice, (record) =>
      record.record === "device"
        ? [{ ...record, device: { ...record.device, recoveryBundle: new Uint8Array(0) } }]
        : [record],
    )
    await laptop.send("bob", "hello?")
    const why = "there is no session with bob, and no key to make one: pair again"
    expect((await reasonsOf(laptop)).at(-1)).toEqual(["hello?", why])
  })

  test("a backup without a device of the contact calls nothing queued that can never leave", async () => {
    const { fixture, alice, bob } = await couple()
    await bob.stop()
    await alice.send("bob", "lost")
    await fixture.clock.pass(100)
    const laptop = await changed(fixture, alice, (record) => (record.record === "device" ? [] : [record]))
    expect(await laptop.states("bob")).toEqual(["given-up"])
    expect(await reasonsOf(laptop)).toEqual([])
  })
})

type Rest = Exclude<BackupRecord, { record: "profile" }>

/** Another laptop, from a backup whose records are changed. */
async function changed(
  fixture: EngineFixture,
  alice: TestProfile,
  change: (record: Rest) => readonly Rest[],
): Promise<TestProfile> {
  const path = await backUp(alice)
  await alice.stop()
  const { profile, rest } = await readRecords(
    (await readStream(createReadStream(path), path)).unlock(PASSPHRASE),
  )
  async function* records(): AsyncGenerator<Rest> {
    for await (const record of rest) yield* change(record)
  }
  const laptop = await fixture.profile("laptop", { identity: alice.identity, name: () => profile.name })
  await fillStore(laptop.store, records())
  await laptop.stop()
  await laptop.start()
  return laptop
}
