import { expect, test } from "vitest"
import { openStore } from "../../src/store/store.ts"
import { fillStore } from "../bench/large-profile.ts"
import { countedFiles } from "../store/pages-read.ts"
import { couple, type TestProfile } from "./engine-fixture.ts"

const SMALL = { contacts: 20, messages: 200 }
const LARGE = { contacts: 400, messages: 2_000 }
/** Some thirty trees are searched from their root, and each may be a page deeper. */
const DEEPER = 40

type Size = typeof SMALL

/** Alice, who has paired with Bob and with many others; her process has ended. */
async function profileOf({ contacts, messages }: Size) {
  const { fixture, alice } = await couple()
  await alice.stop()
  await alice.edit(async (path, key) => {
    const store = await openStore(path, key)
    await fillStore(store, contacts, messages)
    await store.close()
  })
  const asked: string[] = []
  fixture.broker.refusesFilter = (topic) => {
    if (topic.includes(alice.deviceId)) asked.push(topic)
    return false
  }
  return { alice, asked, fixture }
}

async function pagesFor(size: Size, run: (alice: TestProfile) => Promise<unknown>, ports = {}) {
  const { alice } = await profileOf(size)
  const { files, pagesRead } = countedFiles()
  await alice.start(ports, files)
  await run(alice)
  return pagesRead()
}

test.each([
  ["status", { asksOnly: true }, (alice: TestProfile) => alice.client.call("status", {})],
  [
    "history",
    { offline: true },
    (alice: TestProfile) => alice.client.call("history", { contact: 1, limit: 5 }),
  ],
])("[D-190] as much is read for `%s` with many more contacts and messages", async (_, ports, run) => {
  const [small, large] = [await pagesFor(SMALL, run, ports), await pagesFor(LARGE, run, ports)]
  expect(large - small).toBeLessThanOrEqual(DEEPER)
})

test("[D-190] who asks how the broker is subscribes to nothing while the broker has the session", async () => {
  const { alice, asked, fixture } = await profileOf(SMALL)
  await alice.start({ asksOnly: true })
  await fixture.clock.pass(1_000)
  expect(await alice.client.call("status", {})).toMatchObject({ connection: { kind: "online" } })
  expect(asked).toEqual([])
})

test("[D-190] who asks how the broker is subscribes to all once the broker has lost the session", async () => {
  const { alice, asked, fixture } = await profileOf(SMALL)
  fixture.broker.forgetAll()
  await alice.start({ asksOnly: true })
  await fixture.clock.pass(1_000)
  expect(new Set(asked).size).toBe(1 + SMALL.contacts)
})
