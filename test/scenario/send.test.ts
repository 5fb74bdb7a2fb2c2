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
