import { expect, it } from "vitest"
import { pairedUsers, ScenarioFixture } from "./scenario-fixture.ts"

const LINES = Array.from({ length: 60 }, (_, index) => `line ${index + 1}`)

it("one `inbox` fetches everything that the broker kept, in order", async ({ onTestFinished }) => {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  const { alice, bob } = await pairedUsers(fixture)
  const chat = alice.start(["chat", "bob", "--plain"])
  for (const line of LINES) chat.type(`${line}\n`)
  chat.endInput()
  expect(await chat.ended()).toMatchObject({ code: 0 })
  expect(await bob.inbox()).toEqual(LINES)
})
