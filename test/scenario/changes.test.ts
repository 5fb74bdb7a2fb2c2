import { expect, it } from "vitest"
import type { Message } from "../../src/engine/api.ts"
import { Peer } from "../daemon/rpc-peer.ts"
import { until } from "../until.ts"
import { pairedUsers, schemaIs, ScenarioFixture, type JsonProcess, type User } from "./scenario-fixture.ts"

type Daemon = { readonly running: JsonProcess; readonly script: Peer }

async function startDaemon(user: User): Promise<Daemon> {
  const running = user.start(["daemon", "--json"])
  const { socket } = await running.waitForOutput(schemaIs("daemon"))
  return { running, script: new Peer({ path: String(socket) }) }
}

async function killed({ running }: Daemon): Promise<void> {
  running.kill("SIGKILL")
  await running.finished()
}

async function resultOf<Result>({ script }: Daemon, method: string, params: object): Promise<Result> {
  const answer = await script.ask(method, params)
  expect(answer).toHaveProperty("result")
  return (answer as { readonly result: Result }).result
}

async function messageOf(daemon: Daemon, contact: string, id: string): Promise<Message | undefined> {
  const all = await resultOf<Message[]>(daemon, "history", { contact, limit: 100 })
  return all.find((message) => message.id === id)
}

it("what Alice changes is changed at Bob's, whichever process dies meanwhile", async ({ onTestFinished }) => {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  const { alice, bob } = await pairedUsers(fixture)
  let [alices, bobs] = [await startDaemon(alice), await startDaemon(bob)]
  const text = { contact: "bob", text: "first", wait: "delivered", timeoutMs: 60_000 }
  const { id } = await resultOf<Message>(alices, "send", text)
  const ours = { contact: "bob", id }

  await killed(bobs)
  await resultOf(alices, "edit", { ...ours, text: "zyzzogeton" })
  await resultOf(alices, "react", { ...ours, emoji: "🎉" })
  await killed(alices)
  ;[alices, bobs] = [await startDaemon(alice), await startDaemon(bob)]
  await until(async () => (await messageOf(bobs, "alice", id))?.reactions.length === 1)
  expect(await messageOf(bobs, "alice", id)).toMatchObject({
    text: "zyzzogeton",
    previous: [{ text: "first" }],
    reactions: [{ emoji: "🎉", mine: false }],
  })

  await resultOf(bobs, "react", { contact: "alice", id, emoji: "👍" })
  await until(async () => (await messageOf(alices, "bob", id))?.reactions.length === 2)
  await killed(bobs)
  await resultOf(alices, "delete", { ...ours, forAll: true })
  await killed(alices)
  ;[alices, bobs] = [await startDaemon(alice), await startDaemon(bob)]
  await until(async () => (await messageOf(bobs, "alice", id))?.text === "")
  for (const [daemon, contact] of [
    [alices, "bob"],
    [bobs, "alice"],
  ] as const) {
    const message = await messageOf(daemon, contact, id)
    expect(message).toMatchObject({ text: "", previous: [], reactions: [] })
    expect(message?.deletedAt).not.toBeNull()
    expect(await resultOf(daemon, "search", { query: "zyzzogeton", limit: 9 })).toEqual([])
  }
})
