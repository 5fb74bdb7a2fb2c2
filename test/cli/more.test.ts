import { expect, test } from "vitest"
import { showHistory, showSearch } from "../../src/cli/messages/history.ts"
import type { Output } from "../../src/cli/terminal/output.ts"
import { couple } from "../engine/engine-fixture.ts"

test("history and search say that there is more, and where it begins", async () => {
  const { fixture, alice, bob } = await couple()
  const ids: string[] = []
  for (const text of ["tea one", "tea two", "tea three"]) ids.push(await bob.send("alice", text))
  await fixture.clock.pass(100)
  const hints: string[] = []
  const out = {
    json: false,
    prose: () => undefined,
    next: (hint: string) => hints.push(hint),
  } as Pick<Output, "json" | "prose" | "next"> as Output
  const context = { client: alice.client, out }
  await showHistory(context, "bob", { limit: 3 })
  await showSearch(context, { query: "tea", limit: 3 })
  expect(hints).toEqual([])
  await showHistory(context, "bob", { limit: 2 })
  await showHistory(context, "bob", { limit: 2, since: 0 })
  await showSearch(context, { query: "tea", limit: 2 })
  const [, second = ""] = ids
  const shortened = second.slice(0, 8)
  expect(hints).toEqual([
    `earlier: mqttchat history --before ${shortened} bob`,
    `more: mqttchat history --after ${shortened} bob`,
    "more: mqttchat search --limit 4 -- tea",
  ])
})
