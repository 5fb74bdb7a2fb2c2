import { expect, test } from "vitest"
import { editText, goesOutNow, reactTo } from "../../src/cli/messages/change-message.ts"
import { couple } from "../engine/engine-fixture.ts"
import { withoutAccount } from "../engine/without-account.ts"
import { RecordedOutput } from "./recorded-output.ts"

/** Alice is online; Bob has both messages, and is to be asked again who he is. */
async function online() {
  const { fixture, alice, bob } = await couple()
  const theirs = await bob.send("alice", "hungry")
  await fixture.clock.pass(100)
  const ours = await alice.send("bob", "lunch at noon")
  await fixture.clock.pass(1_000)
  const later = "saved in the outbox, goes out later: bob has not shown their account yet; "
  const queued = { code: "queued", message: expect.stringContaining(later) as string }
  const context = () => ({ client: alice.client, out: new RecordedOutput(), owner: "us" as const })
  const unshown = async () => {
    await bob.stop()
    await withoutAccount(alice)
  }
  return { alice, ours, theirs, queued, context, unshown }
}

test("a change that waits while the connection is up is not called sent, and says what it waits for", async () => {
  const { alice, ours, theirs, queued, context, unshown } = await online()
  await unshown()
  await expect(editText(context(), { id: ours, text: "lunch at one" })).rejects.toMatchObject(queued)
  await expect(reactTo(context(), theirs, "👍")).rejects.toMatchObject(queued)
  await alice.client.call("delete", { contact: "bob", id: ours, forAll: true })
  await expect(goesOutNow(context(), { id: ours, kind: "delete" })).rejects.toMatchObject(queued)
})

test("a change that the broker gets at once is sent", async () => {
  const { ours, theirs, context } = await online()
  await editText(context(), { id: ours, text: "lunch at one" })
  await reactTo(context(), theirs, "👍")
})

test("who takes away a reaction that is not there is not told that it goes out", async () => {
  const { theirs, context } = await online()
  const done: string[] = []
  const out = Object.assign(new RecordedOutput(), { done: (row: string) => void done.push(row) })
  await reactTo({ ...context(), out }, theirs, null)
  expect(done).toEqual(["you have no reaction to this message"])
})
