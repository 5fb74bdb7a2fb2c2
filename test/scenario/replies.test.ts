import { expect, onTestFinished, test } from "vitest"

import { Peer, type RpcObject } from "../daemon/rpc-peer.ts"
import { pairedUsers, ScenarioFixture, schemaIs, type JsonProcess, type User } from "./scenario-fixture.ts"

type Running = { readonly daemon: JsonProcess; readonly script: Peer }

async function daemonOf(user: User): Promise<Running> {
  const daemon = user.start(["daemon", "--json"])
  const { socket } = await daemon.waitForOutput(schemaIs("daemon"))
  const script = new Peer({ path: String(socket) })
  await script.ask("listen")
  return { daemon, script }
}

const messageIs =
  (text: string) =>
  ({ params }: RpcObject): boolean =>
    (params as { message?: { text: string } } | undefined)?.message?.text === text

/** The message that an event of this text is about. */
async function comes({ script }: Running, text: string): Promise<RpcObject> {
  const { params } = await script.waitFor(messageIs(text))
  return (params as { message: RpcObject }).message
}

test("an answer over a real broker keeps its id and quote, also when the one who wrote it is killed", async () => {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  const { alice, bob } = await pairedUsers(fixture)
  const [hers, his] = [await daemonOf(alice), await daemonOf(bob)]
  const sent = await hers.script.ask("send", { contact: "bob", text: "when?", wait: "delivered" })
  const id = (sent["result"] as { id: string }).id
  expect(id).toMatch(/^[0-9a-f]{16}$/)
  expect(await comes(his, "when?")).toMatchObject({ id, mine: false })
  const answered = await his.script.ask("send", { contact: "alice", text: "at noon", replyTo: id })
  his.daemon.kill("SIGKILL")
  await his.daemon.finished()
  const again = await daemonOf(bob)
  const answer = await comes(hers, "at noon")
  const quote = { id, text: "when?", changed: false }
  expect(answer).toMatchObject({ ...(answered["result"] as object), state: "received", mine: false })
  expect(answer["replyTo"]).toEqual({ ...quote, mine: true })
  const { result } = await again.script.ask("history", { contact: "alice" })
  expect(result).toMatchObject([{ text: "when?" }, { text: "at noon", replyTo: { ...quote, mine: false } }])
})
