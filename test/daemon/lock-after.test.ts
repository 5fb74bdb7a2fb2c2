import { expect, test } from "vitest"
import { LockableProfile } from "../../src/daemon/lockable-profile.ts"
import { EngineFixture } from "../engine/engine-fixture.ts"

const MINUTE_MS = 60_000
const LOCK_AFTER_MS = 15 * MINUTE_MS

/** Alice's daemon, which locks after a quarter of an hour without a request. */
async function aliceDaemon() {
  const fixture = new EngineFixture()
  const { clock } = fixture
  const alice = await fixture.profile("alice")
  const events: string[] = []
  const opened = { client: alice.client, close: () => Promise.resolve() }
  const daemon = new LockableProfile(
    {
      clock,
      open: () => Promise.resolve(opened),
      isLockable: true,
      lockAfterMs: LOCK_AFTER_MS,
      end: () => undefined,
      onLockChange: (event) => events.push(event),
    },
    opened,
  )
  return { clock, daemon, events, ask: () => daemon.call("contacts", {}) }
}

test("[D-110] the keys lock after so long without a request, and each request begins the time again", async () => {
  const { clock, events, ask } = await aliceDaemon()
  await clock.pass(LOCK_AFTER_MS - 1)
  await ask()
  await clock.pass(LOCK_AFTER_MS - 1)
  expect(events).toEqual([])
  await clock.pass(1)
  expect(events).toEqual(["locked"])
})

test("[D-110] a lid that was closed for eight hours counts: the keys are locked soon after, or before the first request", async () => {
  const asleep = await aliceDaemon()
  asleep.clock.suspend(8 * 60 * MINUTE_MS)
  await asleep.clock.pass(15_000)
  expect(asleep.events).toEqual(["locked"])
  const asked = await aliceDaemon()
  asked.clock.suspend(8 * 60 * MINUTE_MS)
  await expect(asked.ask()).rejects.toMatchObject({ code: "locked" })
  expect(asked.events).toEqual(["locked"])
})

test("[D-110] a clock that is set a year ahead or back locks nothing early or late", async () => {
  const { clock, events, ask } = await aliceDaemon()
  for (const years of [1, -2]) {
    clock.jump(years * 365 * 24 * 60 * MINUTE_MS)
    await clock.pass(LOCK_AFTER_MS / 2)
    await ask()
  }
  expect(events).toEqual([])
  await clock.pass(LOCK_AFTER_MS)
  expect(events).toEqual(["locked"])
})
