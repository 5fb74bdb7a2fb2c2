import { expect, test } from "vitest"
import { findMessage } from "../../src/cli/messages/find-message.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { makeSystemMessage } from "../../src/engine/contacts/system-messages.ts"
import type { ConversationId } from "../../src/store/ids.ts"
import { EngineFixture, type TestProfile } from "../engine/engine-fixture.ts"

const BOBS = 20

/** A text of ours with this id. */
async function writes(profile: TestProfile, conversation: ConversationId, ...id: number[]): Promise<void> {
  const { change } = makeSystemMessage(conversation, "hi", { now: 1, wall: 1, random: systemRandom })
  const text = { digest: systemRandom(16), kind: "text", state: "queued" } as const
  const message = { ...change.message, ...text, id: Uint8Array.of(...id, 0, 0, 0, 0, 0, 0) }
  await profile.store.commit([{ kind: "message", message }])
}

test("an id is looked for in the conversation that is named, and in all where none is", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  for (const name of ["bob", "carol"]) await fixture.pair(alice, await fixture.profile(name))
  const [bob, carol] = (await alice.store.load()).conversations
  for (let n = 0; n < BOBS; n += 1) await writes(alice, bob!.id, 0xaa, n)
  await writes(alice, carol!.id, 0xaa, 0xff)
  const inCarols = { contact: "carol" }
  expect(await findMessage(alice.client, "aa", inCarols)).toMatchObject({ contact: "carol" })
  expect(await findMessage(alice.client, "AA", inCarols)).toMatchObject({ id: "aaff000000000000" })
  expect(await findMessage(alice.client, "aa03")).toMatchObject({ contact: "bob" })
  const refusals = [
    ["aa", {}, "usage", "mqttchat history NAME --ids"],
    ["aa03", inCarols, "not-found", "mqttchat history --ids carol"],
    ["aa", { contact: "dave" }, "not-found", "mqttchat contacts"],
    ["", inCarols, "usage", "mqttchat history --ids carol"],
    ["aaff0000000000000", {}, "usage", "mqttchat history NAME --ids"],
    ["xyz", {}, "usage", "mqttchat history NAME --ids"],
  ] as const
  for (const [typed, search, code, hint] of refusals)
    await expect(findMessage(alice.client, typed, search)).rejects.toMatchObject({ code, hint })
})
