import { rmSync } from "node:fs"
import { expect, test } from "vitest"
import { couple } from "./engine-fixture.ts"

test("[A-3] keys whose store was lost have the same account: two people who know each other pair again", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.send("alice", "before")
  await fixture.clock.pass(100)
  const [before] = await alice.client.call("contacts", {})
  await bob.crash()
  for (const file of [bob.path, `${bob.path}-wal`]) rmSync(file, { force: true })
  await bob.start()
  expect(await bob.client.call("contacts", {})).toEqual([])
  await fixture.pair(alice, bob)
  await bob.send("alice", "here again")
  await fixture.clock.pass(1_000)
  expect(await alice.client.call("contacts", {})).toMatchObject([
    { id: before?.id, fingerprint: before?.fingerprint, state: "established", verified: false },
  ])
  expect(await alice.texts("bob")).toEqual(["before", "here again"])
  await alice.send("bob", "welcome back")
  await fixture.clock.pass(1_000)
  expect(await bob.texts("alice")).toEqual(["welcome back"])
})
