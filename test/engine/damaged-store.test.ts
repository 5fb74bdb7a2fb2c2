import { copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { expect, test } from "vitest"
import { couple, type TestProfile } from "./engine-fixture.ts"

const NOTE = "the message store was damaged: messages that came or went just before this may be missing"
const AGAIN = "messages from alice that this device had lost come again"
const RENEWED = "the connection with alice was renewed"

/** The process dies, and a bit of its log is flipped: so many bytes from its end. */
async function damage(profile: TestProfile, fromEnd: number): Promise<void> {
  const copies = ["", "-wal"].map((end) => profile.path + end)
  for (const path of copies) copyFileSync(path, `${path}.killed`)
  await profile.crash()
  for (const path of copies) copyFileSync(`${path}.killed`, path)
  const log = `${profile.path}-wal`
  const bytes = readFileSync(log)
  const at = bytes.length - fromEnd
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(log, bytes)
}

test("[D-131] Bob's damaged log is told in each conversation, and he and Alice go on in a new session", async () => {
  const { fixture, alice, bob } = await couple()
  const carol = await fixture.profile("carol")
  await fixture.pair(bob, carol)
  for (let number = 0; number < 40; number++) {
    await alice.send("bob", `text ${number}`)
    await fixture.clock.pass(20)
  }
  // In its third page: what follows depends on how many pages a commit has.
  await damage(bob, statSync(`${bob.path}-wal`).size - 5_000)
  await bob.start()
  await fixture.clock.pass(60_000)
  expect(await bob.systemMessages("alice")).toEqual([NOTE, RENEWED, AGAIN])
  expect(await bob.texts("alice")).toEqual(Array.from({ length: 40 }, (_, number) => `text ${number}`))
  expect((await bob.systemMessages("carol"))[0]).toBe(NOTE)
  await bob.send("alice", "did you write?")
  await alice.send("bob", "yes")
  await fixture.clock.pass(60_000)
  expect(await alice.texts("bob")).toEqual(["did you write?"])
  expect((await bob.texts("alice")).at(-1)).toBe("yes")
  await bob.stop()
  await bob.start()
  expect(await bob.systemMessages("alice")).toEqual([NOTE, RENEWED, AGAIN])
})

test("a text of Bob's that waited when his log was damaged goes out, once, in the new session", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.send("alice", "before")
  await fixture.clock.pass(50)
  fixture.broker.tamper = (topic, payload) => (topic.includes(alice.deviceId) ? [] : [payload])
  await bob.send("alice", "waits")
  for (let number = 0; number < 20; number++) await alice.send("bob", `text ${number}`)
  await fixture.clock.pass(100)
  await damage(bob, 30_000)
  fixture.broker.tamper = (_topic, payload) => [payload]
  await bob.start()
  await fixture.clock.pass(60_000)
  expect(await alice.texts("bob")).toEqual(["before", "waits"])
  expect(new Set(await bob.states("alice"))).toEqual(new Set(["delivered"]))
})
