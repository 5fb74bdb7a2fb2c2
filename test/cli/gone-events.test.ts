import { expect, test } from "vitest"
import { ChatView } from "../../src/cli/messages/chat.ts"
import { followInbox } from "../../src/cli/messages/follow.ts"
import type { ChatClient } from "../../src/engine/api.ts"
import { Fault } from "../../src/errors.ts"
import { couple } from "../engine/engine-fixture.ts"
import { until } from "../until.ts"
import { RecordedOutput } from "./recorded-output.ts"

const SAID = "the event log no longer has all that was missed: mqttchat history"

/** Bob's log can lose what a reader has not read yet, once. */
async function forgetfulLog() {
  const { fixture, alice, bob } = await couple()
  let isGone = false
  const call: ChatClient["call"] = (command, params) => {
    const fails = isGone && command === "events" && "since" in params
    if (!fails) return bob.client.call(command, params)
    isGone = false
    return Promise.reject(new Fault("not-found", "the events are no longer kept"))
  }
  const writes = async (text: string): Promise<void> => {
    await alice.send("bob", text)
    await fixture.clock.pass(100)
  }
  return { client: { ...bob.client, call }, forget: () => void (isGone = true), writes }
}

test("an inbox that is followed says that the log has not all, and shows what is unread, once", async () => {
  const { client, forget, writes } = await forgetfulLog()
  const out = new RecordedOutput()
  const following = followInbox({ client, out })
  await writes("before")
  await until(() => out.rows.length === 1)
  forget()
  await writes("meanwhile")
  await writes("and then")
  await until(() => out.rows.length >= 3)
  out.lose()
  await following
  expect(out.warnings).toEqual([`${SAID} NAME shows it`])
  expect(out.rows.map((row) => row.slice(row.indexOf("alice")))).toEqual([
    "alice: before",
    "alice: meanwhile",
    "alice: and then",
  ])
})

test("a chat says the same, and shows the latest messages", async () => {
  const { client, forget, writes } = await forgetfulLog()
  const rows: string[] = []
  const print = (row: string): void => void rows.push(row)
  const view = new ChatView({ client, contact: "alice", print, advised: (row) => row })
  await view.open()
  forget()
  await writes("meanwhile")
  await until(() => rows.some((row) => row.endsWith("alice: meanwhile")))
  await view.close()
  const said = rows.indexOf(`info: ${SAID} alice shows it`)
  expect(rows[said + 1]).toMatch(/alice: meanwhile$/)
  expect(rows.filter((row) => row.includes("meanwhile"))).toHaveLength(1)
})
