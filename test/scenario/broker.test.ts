import { describe, expect, it } from "vitest"
import { pairedUsers, startBroker, ScenarioFixture } from "./scenario-fixture.ts"

describe.concurrent("a broker that ends between sending and receiving", () => {
  it.each(["SIGKILL", "SIGTERM"] as const)(
    "by %s still has everything it acknowledged, in order",
    async (signal) => {
      const fixture = new ScenarioFixture()
      try {
        const { alice, bob, broker } = await pairedUsers(fixture)
        const texts = ["one", "two", "three"]
        for (const text of texts) await bob.runJson("send", "alice", text)
        broker.kill(signal)
        expect(await broker.finished()).toMatchObject({ signal })

        const away = await bob.run(["send", "alice", "while it was away"])
        expect(away).toMatchObject({ code: 75, stdout: "" })
        expect(away.stderr).toMatch(/^mqttchat: saved in the outbox, goes out later: /)

        await startBroker(alice, "again")
        // Bob is offline, so Alice reads what the broker kept.
        expect(await alice.receiveTexts(...texts)).toEqual(texts)
        await bob.runJson("send", "alice", "it is back")
        const late = ["while it was away", "it is back"]
        expect(await alice.receiveTexts(...late)).toEqual(late)
        await alice.runJson("send", "bob", "still paired")
        expect(await bob.receiveTexts("still paired")).toEqual(["still paired"])
      } finally {
        await fixture.end()
      }
    },
  )
})
