import { expect, test } from "vitest"
import { DAY_MS, MINUTE_MS } from "../../src/time-units.ts"
import { backUp, restored } from "./backup-fixture.ts"
import { couple } from "./engine-fixture.ts"

const MOVED =
  "bob now sends to another device of yours; nothing more is sent from this one. To continue here instead: mqttchat reset bob"

test.each([
  [29, [MOVED]],
  [31, []],
])(
  "[D-35] an old laptop that comes back after %i days is told where the conversation is: %o",
  async (days, noticed) => {
    const { fixture, alice, bob } = await couple()
    const path = await backUp(alice)
    await alice.stop()
    await restored(fixture, "laptop", path)
    await fixture.clock.pass(days * DAY_MS)
    await alice.start()
    await alice.send("bob", "anyone there?")
    await fixture.clock.pass(MINUTE_MS)
    expect(await alice.systemMessages("bob")).toEqual(noticed)
    expect(await bob.texts("alice")).toEqual([])
  },
)
