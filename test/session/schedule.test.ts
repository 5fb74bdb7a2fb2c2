import { afterAll, beforeAll, expect, test } from "vitest"
import { BACKENDS, useBackend, type BackendName } from "../../src/crypto/nacl.ts"
import { open } from "../../src/session/ratchet.ts"
import { decodeSession, encodeSession } from "../../src/session/snapshot.ts"
import { World, type End } from "./network.ts"
import { flipped, NOW } from "./people.ts"

/** Texts of both sides together, over all schedules. */
const MESSAGES = 10_000
const SCHEDULES = 4
const EACH = MESSAGES / SCHEDULES / 2

const usable: BackendName[] = []
beforeAll(async () => {
  for (const name of BACKENDS) {
    const active = await useBackend(name).catch(() => undefined)
    if (active !== undefined) usable.push(active)
  }
})
afterAll(async () => {
  await useBackend("tweetnacl")
})

/** Now Alice has most to say, now Bob, now both alike. */
function wantsToSpeak(world: World, end: End): boolean {
  if (end.said >= EACH) return false
  const talkative = Math.floor(world.now / 30) % 3
  return world.roll(3) < (talkative === (end === world.alice ? 0 : 1) ? 2 : 1)
}

function live(world: World, end: End): void {
  if (wantsToSpeak(world, end)) world.speak(end)
  if (world.roll(60) === 0) end.session = decodeSession(encodeSession(end.session))!
}

/** What one backend has sealed, another opens. */
async function changeBackend(world: World): Promise<void> {
  await useBackend(usable[world.roll(usable.length)])
}

/** Both ends refuse a letter with one changed bit, and are what they were. */
function tamper(world: World): void {
  const letter = world.network[0]
  if (letter === undefined) return
  const changed = flipped(letter.wire, 128 + world.roll(letter.wire.length * 8 - 128))
  for (const { session } of [world.alice, world.bob]) {
    const before = encodeSession(session)
    expect(open(session, changed, NOW).kind).toBe("refused")
    expect(encodeSession(session)).toEqual(before)
  }
}

test.each(Array.from({ length: SCHEDULES }, (_, n) => n))(
  "loss, duplicates, reordering, both at once, restarts, any backend: nothing is lost, nothing shown twice (%i)",
  async (schedule) => {
    const world = new World(`schedule ${schedule}`)
    const { alice, bob } = world
    for (; alice.said + bob.said < 2 * EACH || world.busy; world.now += 1) {
      if (world.now % 40 === 0) await changeBackend(world)
      live(world, alice)
      live(world, bob)
      if (world.roll(40) === 0) tamper(world)
      for (let step = 0; step < 3 && world.network.length > 0; step += 1) world.deliver()
      world.resend()
    }
    for (const reader of [alice, bob]) {
      const { name } = world.peerOf(reader)
      const all = Array.from({ length: EACH }, (_, n) => `${name} ${n}`)
      expect(reader.shown.toSorted()).toEqual(all.toSorted())
    }
    // The schedule was as rough as it says, and the steps did go round.
    expect(world.refusals.get("unknown-tag")).toBeGreaterThan(50)
    expect([...world.refusals.keys()]).not.toContain("forged")
    expect(alice.session.pq.lastId).toBeGreaterThan(5)
  },
)
