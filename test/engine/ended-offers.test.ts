import { expect, test } from "vitest"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"
import { linkOf } from "./words-fixture.ts"

function endedAt({ events }: TestProfile): readonly string[] {
  return events.flatMap((event) => (event.kind === "pair-failed" ? [event.offer] : []))
}

test("[D-178] an offer that another command ends is told to the command that shows it, and the others stay", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  await linkOf(alice)
  await linkOf(alice)
  const [first, second] = await alice.client.call("offers", {})
  if (first === undefined || second === undefined) throw new Error("two offers are open")
  await alice.client.call("pair-cancel", { id: first.id })
  expect(endedAt(alice)).toEqual([first.id])
  expect((await alice.client.call("offers", {})).map(({ id }) => id)).toEqual([second.id])
})
