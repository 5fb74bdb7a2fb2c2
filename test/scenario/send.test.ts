import { describe, expect, it } from "vitest"
import { neighbours, Story } from "./people.ts"

/** Real processes share two cores with other tests: a ceiling, no verdict on speed. */
const CEILING = { timeout: 180_000 }

describe.concurrent("send waits", CEILING, () => {
  it.each([
    ["as a process of its own", false],
    ["through a daemon", true],
  ])("as long as it was told, and says with its exit code how it ended: %s", async (_how, isHeld) => {
    const story = new Story()
    try {
      const { alice, bob, broker } = await neighbours(story)
      if (isHeld) await bob.start(["daemon"]).says(/daemon running/)
      expect(await bob.run(["send", "alice", "kept", "--no-wait"])).toMatchObject({
        code: 0,
        stderr: "✓ saved for alice\n",
      })
      const sent = await bob.run(["send", "alice", "sent", "--wait", "broker", "--timeout", "30s", "--json"])
      expect(sent).toMatchObject({ code: 0, said: [{ to: "alice", state: "broker" }] })
      await alice.receives("kept", "sent")

      await bob.tell("contacts", "block", "alice")
      expect(await bob.run(["send", "alice", "blocked", "--wait", "broker"])).toMatchObject({ code: 77 })
      await bob.tell("contacts", "unblock", "alice")
      await broker.stop()
      const late = await bob.run(["send", "alice", "later", "--timeout", "100ms", "--json"])
      expect(late).toMatchObject({ code: 75, said: [{ to: "alice", state: "queued" }] })
      expect(JSON.parse(late.stderr)).toMatchObject({ code: "queued", exit: 75 })
    } finally {
      await story.end()
    }
  })

  it("until the peer has it, until it was read, or until the time is over", async () => {
    const story = new Story()
    try {
      const { alice, bob } = await neighbours(story)
      const waits = (state: string, timeout: string) =>
        bob.run(["send", "alice", state, "--wait", state, "--timeout", timeout, "--json"])
      // Nobody is there to acknowledge it.
      expect(await waits("delivered", "100ms")).toMatchObject({ code: 75 })
      const hearing = alice.start(["daemon"])
      await hearing.says(/daemon running/)
      expect(await waits("delivered", "60s")).toMatchObject({ code: 0, said: [{ state: "delivered" }] })
      // She does not tell what she has read.
      expect(await waits("read", "100ms")).toMatchObject({ code: 75 })
      await alice.tell("privacy", "bob", "--read-receipts", "on")
      const read = waits("read", "60s")
      const reading = alice.start(["inbox", "--follow", "--json"])
      expect(await read).toMatchObject({ code: 0, said: [{ state: "read" }] })
      reading.kill("SIGINT")
    } finally {
      await story.end()
    }
  })

  it("no longer for what was taken back", async () => {
    const story = new Story()
    try {
      const { bob } = await neighbours(story)
      await bob.start(["daemon"]).says(/daemon running/)
      // On the broker it is, and alice, who runs nothing, will not fetch it.
      await bob.tell("send", "alice", "a slip")
      const waits = bob.run(["send", "alice", "a slip", "--wait", "delivered", "--timeout", "60s", "--json"])
      const slips = async () => (await bob.run(["outbox", "--json"])).said
      while ((await slips()).length < 2);
      for (const { id } of await slips()) await bob.tell("outbox", "--cancel", String(id))
      const ended = await waits
      expect(ended).toMatchObject({ code: 69, said: [{ to: "alice", state: "given-up" }] })
      expect(JSON.parse(ended.stderr)).toMatchObject({ code: "unavailable", exit: 69 })
    } finally {
      await story.end()
    }
  })

  it.each([["--wait", "tomorrow"], ["--timeout", "soon"], ["--timeout", "8d"], ["--timeout"]])(
    "for nothing that cannot be: %s %s",
    async (...flags) => {
      const story = new Story()
      try {
        expect(await story.person("bob").run(["send", "alice", "hi", ...flags])).toMatchObject({ code: 64 })
      } finally {
        await story.end()
      }
    },
  )
})
