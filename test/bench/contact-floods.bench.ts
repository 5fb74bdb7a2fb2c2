import { expect, test } from "vitest"
import { MESSAGES } from "../engine/flood-messages.ts"
import { hostileContact } from "../engine/hostile-contact.ts"

/** So many frames of each kind, as fast as the broker takes them; `FLOOD_FRAMES=24000` for a long run. */
const FRAMES = Number(process.env["FLOOD_FRAMES"] ?? 2_000)
const CPU_MS_MAX = 0.5
const UNLIMITED = { perHour: 1e9, bytes: 1e12 }

test.each(Object.entries(MESSAGES))("a flood of %s", async (kind, message) => {
  const { fixture, bob, topic, injects } = await hostileContact(UNLIMITED)
  // Eve seals them beforehand: her work is not counted.
  const sealed: Uint8Array[] = []
  const inject = fixture.broker.inject.bind(fixture.broker)
  fixture.broker.inject = (_topic, wire) => void sealed.push(wire)
  for (let n = 0; n < FRAMES; n++) injects(...message(n))
  const [published, before] = [fixture.broker.seen.length, process.cpuUsage()]
  for (const wire of sealed) inject(topic, wire)
  await fixture.clock.pass(100)
  const { user, system } = process.cpuUsage(before)
  const ms = (user + system) / 1_000 / FRAMES
  const answers = fixture.broker.seen.length - published
  const { outgoing } = await bob.store.load()
  const figures = `${ms.toFixed(3)} ms of CPU each, ${answers} answers, ${outgoing.length} left`
  process.stdout.write(`${kind.padEnd(16)} ${figures}${ms > CPU_MS_MAX ? "   ABOVE" : ""}\n`)
  expect(outgoing.length).toBeLessThan(8)
})
