import { describe, expect, it } from "vitest"
import { pairedUsers, ScenarioFixture } from "./scenario-fixture.ts"
import { until } from "../until.ts"

describe.concurrent("send waits", () => {
  it.each([
    ["as a process of its own", false],
    ["through a daemon", true],
  ])("as long as asked, and its exit code tells how it ended: %s", async (_how, isHeld) => {
    const fixture = new ScenarioFixture()
    try {
      const { alice, bob, broker } = await pairedUsers(fixture)
      if (isHeld) await bob.start(["daemon"]).prints(/daemon running/)
      expect(await bob.run(["send", "alice", "kept", "--no-wait"])).toMatchObject({
        code: 0,
        stderr: "✓ saved for alice\n",
      })
      const sent = await bob.run(["send", "alice", "sent", "--wait", "broker", "--timeout", "30s", "--json"])
      expect(sent).toMatchObject({ code: 0, output: [{ contact: "alice", state: "broker" }] })
      await alice.receiveTexts("kept", "sent")

      await bob.runJson("contacts", "block", "alice")
      expect(await bob.run(["send", "alice", "blocked", "--wait", "broker"])).toMatchObject({ code: 77 })
      await bob.runJson("contacts", "unblock", "alice")
      await broker.stop()
      const late = await bob.run(["send", "alice", "later", "--timeout", "100ms", "--json"])
      expect(late).toMatchObject({ code: 75, output: [{ contact: "alice", state: "queued" }] })
      expect(JSON.parse(late.stderr)).toMatchObject({ code: "queued", exit: 75 })
    } finally {
      await fixture.end()
    }
  })

  it("until the peer has the text, until it was read, or until the time is over", async () => {
    const fixture = new ScenarioFixture()
    try {
      const { alice, bob } = await pairedUsers(fixture)
      const waits = (state: string, timeout: string) =>
        bob.run(["send", "alice", state, "--wait", state, "--timeout", timeout, "--json"])
      // No process of the peer runs to acknowledge it.
      expect(await waits("delivered", "100ms")).toMatchObject({ code: 75 })
      const follower = alice.start(["daemon"])
      await follower.prints(/daemon running/)
      expect(await waits("delivered", "60s")).toMatchObject({ code: 0, output: [{ state: "delivered" }] })
      // Her read receipts are off.
      expect(await waits("read", "100ms")).toMatchObject({ code: 75 })
      await alice.runJson("privacy", "bob", "--read-receipts", "on")
      const read = waits("read", "60s")
      const reading = alice.start(["inbox", "--follow", "--json"])
      expect(await read).toMatchObject({ code: 0, output: [{ state: "read" }] })
      reading.kill("SIGINT")
    } finally {
      await fixture.end()
    }
  })

  it("no longer for a cancelled message", async () => {
    const fixture = new ScenarioFixture()
    try {
      const { bob } = await pairedUsers(fixture)
      await bob.start(["daemon"]).prints(/daemon running/)
      // It is on the broker, and alice, who runs nothing, will not fetch it.
      await bob.runJson("send", "alice", "a slip")
      const waits = bob.run(["send", "alice", "a slip", "--wait", "delivered", "--timeout", "60s", "--json"])
      const slips = async () => (await bob.run(["outbox", "--json"])).output
      await until(async () => (await slips()).length >= 2)
      for (const { id } of await slips()) await bob.runJson("outbox", "--cancel", String(id))
      const ended = await waits
      expect(ended).toMatchObject({ code: 69, output: [{ contact: "alice", state: "given-up" }] })
      expect(JSON.parse(ended.stderr)).toMatchObject({ code: "unavailable", exit: 69 })
    } finally {
      await fixture.end()
    }
  })

  it.each([["--wait", "tomorrow"], ["--timeout", "soon"], ["--timeout", "8d"], ["--timeout"]])(
    "for nothing that is impossible: %s %s",
    async (...flags) => {
      const fixture = new ScenarioFixture()
      try {
        expect(await fixture.user("bob").run(["send", "alice", "hi", ...flags])).toMatchObject({ code: 64 })
      } finally {
        await fixture.end()
      }
    },
  )
})
