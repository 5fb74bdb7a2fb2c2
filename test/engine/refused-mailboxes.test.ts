import { expect, test } from "vitest"
import { couple } from "./engine-fixture.ts"

test("mailboxes that the broker refuses are told once, counted in the status, and asked for again", async () => {
  const { fixture, alice, bob } = await couple()
  for (const name of ["carol", "dave"]) await fixture.pair(alice, await fixture.profile(name))
  await fixture.clock.pass(50)
  expect(await alice.client.call("status", {})).toMatchObject({ refusedMailboxes: 0 })

  let room = 1
  const isAlice = (topic: string): boolean => topic.includes(alice.deviceId)
  fixture.broker.refusesFilter = (topic) => isAlice(topic) && --room < 0
  await alice.stop()
  await alice.start()
  await fixture.clock.pass(50)
  expect(await alice.client.call("status", {})).toMatchObject({
    connection: { kind: "online" },
    refusedMailboxes: 2,
  })
  const notices = alice.events.filter((event) => event.kind === "notice")
  expect(notices.map(({ text }) => text)).toEqual([
    expect.stringContaining("refuses some of this profile's mailboxes"),
  ])

  fixture.broker.refusesFilter = () => false
  await alice.stop()
  await alice.start()
  await fixture.clock.pass(50)
  expect(await alice.client.call("status", {})).toMatchObject({ refusedMailboxes: 0 })
  await bob.client.call("send", { contact: "alice", text: "again", wait: "queued", timeoutMs: 0 })
  await fixture.clock.pass(50)
  expect(await alice.texts("bob")).toEqual(["again"])
})
