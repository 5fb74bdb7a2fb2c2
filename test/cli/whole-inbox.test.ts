import { expect, test } from "vitest"
import { showWholeInbox } from "../../src/cli/messages/whole-inbox.ts"
import type { ChatClient } from "../../src/engine/api.ts"
import { couple } from "../engine/engine-fixture.ts"
import { RecordedOutput } from "./recorded-output.ts"

/** Bob's inbox, with a message of Alice's in it. `reopens`: the broker comes back while the inbox is caught up. */
async function inboxWithoutBroker({ reopens }: { reopens: boolean }) {
  const { fixture, alice, bob } = await couple()
  await alice.send("bob", "hello")
  await fixture.clock.pass(100)
  fixture.broker.close()
  await fixture.clock.pass(100)
  const call: ChatClient["call"] = async (command, params) => {
    const result = await bob.client.call(command, params)
    if (command !== "catch-up" || !reopens) return result
    fixture.broker.reopen()
    await fixture.clock.pass(100)
    return result
  }
  const out = new RecordedOutput()
  return { out, shown: showWholeInbox({ client: { ...bob.client, call }, out }) }
}

test("an inbox whose connection comes up too late to catch up is not taken for whole", async () => {
  const { out, shown } = await inboxWithoutBroker({ reopens: true })
  await expect(shown).rejects.toMatchObject({
    code: "queued",
    message: "more messages may wait on the broker: the connection came up only now",
  })
  expect(out.rows).toEqual([expect.stringContaining("alice: hello")])
  expect(out.warnings).toEqual([])
})

test("an inbox without a connection is shown, with a warning", async () => {
  const { out, shown } = await inboxWithoutBroker({ reopens: false })
  await shown
  expect(out.rows).toEqual([expect.stringContaining("alice: hello")])
  expect(out.warnings).toEqual([expect.stringContaining("there may be more")])
})
