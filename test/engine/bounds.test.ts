import { randomBytes } from "node:crypto"
import { describe, expect, test } from "vitest"
import type { Frame } from "../../src/wire/frame.ts"
import { couple, type TestProfile } from "./engine-fixture.ts"
import { hostileContact } from "./hostile-contact.ts"

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** A text, and its place among those of its sender. */
function numbered(number: number, text: string): Frame[] {
  return [
    { kind: "text", id: randomBytes(8), time: 1, text: Buffer.from(text) },
    { kind: "number", number },
  ]
}

const held = async ({ store }: TestProfile) => (await store.load()).held.length

describe("what a contact makes wait for a text that never comes", () => {
  /** Eve's first text was 0; 1 does not come. */
  const FIRST = 2
  const HELD_MAX = 1_024

  test("is at most 1,024 texts: one more, and the gap is shown with all of them", async () => {
    const { fixture, bob, injects } = await hostileContact()
    for (let n = 0; n < HELD_MAX; n++) injects(...numbered(FIRST + n, `text ${n}`))
    await fixture.clock.pass(100)
    expect(await held(bob)).toBe(HELD_MAX)
    expect(await bob.texts("eve")).toEqual(["hello"])
    injects(...numbered(FIRST + HELD_MAX, "one too many"))
    await fixture.clock.pass(100)
    expect(await held(bob)).toBe(0)
    expect(await bob.texts("eve")).toHaveLength(1 + HELD_MAX + 1)
    expect(await bob.systemMessages("eve")).toEqual(["1 message from eve did not arrive"])
  })

  test("is at most four million characters", async () => {
    const { fixture, bob, injects } = await hostileContact()
    const long = "x".repeat(65_000)
    const fit = Math.floor((4 * 1024 * 1024) / long.length)
    for (let n = 0; n < fit; n++) injects(...numbered(FIRST + n, long))
    await fixture.clock.pass(100)
    expect(await held(bob)).toBe(fit)
    injects(...numbered(FIRST + fit, long))
    await fixture.clock.pass(100)
    expect(await held(bob)).toBe(0)
    expect(await bob.texts("eve")).toHaveLength(1 + fit + 1)
  })

  test("is at most 1,024 numbers of texts that will not come either", async () => {
    const { fixture, bob, injects } = await hostileContact()
    for (let first = FIRST; first < FIRST + 2 * HELD_MAX; first += 64) {
      injects({ kind: "gone", reason: "cancelled", numbers: Array.from({ length: 64 }, (_, n) => first + n) })
    }
    await fixture.clock.pass(100)
    expect(await held(bob)).toBe(HELD_MAX)
  })
})

test("of the bundles of former connections eight are kept, and each for thirty days", async () => {
  const KEPT = 8
  const { fixture, alice, bob } = await couple()
  for (let n = 0; n < KEPT + 3; n++) {
    // Bob answers four INITs of a device in a minute [D-150].
    await fixture.clock.pass(15_000)
    await alice.client.call("reset", { contact: "bob" })
    await alice.send("bob", `${n}`)
    await fixture.clock.pass(1_000)
    await bob.send("alice", `${n} heard`)
    await fixture.clock.pass(1_000)
  }
  const bundles = async () => {
    await bob.stop()
    await bob.start()
    return (await bob.store.load()).openBundles.length
  }
  expect(await bundles()).toBe(KEPT + 1)
  fixture.clock.suspend(29 * DAY_MS)
  expect(await bundles()).toBe(KEPT + 1)
  fixture.clock.suspend(2 * DAY_MS)
  expect(await bundles()).toBe(1)
})
