import { expect, test } from "vitest"
import { followInbox } from "../../src/cli/messages/follow.ts"
import type { ChatClient, Command, Event } from "../../src/engine/api.ts"
import { Fault } from "../../src/errors.ts"
import { couple, type TestProfile } from "../engine/engine-fixture.ts"
import { until } from "../until.ts"
import { RecordedOutput } from "./recorded-output.ts"

/** Bob's owner: it can be killed while a request is under way, and another one takes over. */
function ownerOf(bob: TestProfile) {
  const listeners = new Set<(event: Event) => void>()
  let fatal: Command | undefined
  let deaths = 0
  const emit = (event: Event): void => listeners.forEach((listener) => listener(event))
  bob.client.listen(emit)
  const die = (command: Command): never => {
    fatal = undefined
    deaths++
    const why = new Fault(command === "mark-read" ? "unanswered" : "unavailable", "the owner has ended")
    emit({ kind: "connection", connection: { kind: "stopped", code: "unavailable", reason: why.message } })
    throw why
  }
  const client: ChatClient = {
    call: async (command, params) => (command === fatal ? die(command) : bob.client.call(command, params)),
    listen: (onEvent) => {
      listeners.add(onEvent)
      return () => listeners.delete(onEvent)
    },
    close: () => Promise.resolve(),
  }
  return { client, emit, deaths: () => deaths, killAt: (command: Command) => void (fatal = command) }
}

const textsIn = ({ rows }: RecordedOutput): string[] => rows.map((row) => row.slice(row.indexOf(": ") + 2))

test.for(["events", "mark-read"] as const)(
  "an inbox that is followed goes on when its owner is killed before it answers %s, and shows each message once",
  async (command) => {
    const { fixture, alice, bob } = await couple()
    const owner = ownerOf(bob)
    const out = new RecordedOutput()
    const following = followInbox({ client: owner.client, out })
    await alice.send("bob", "before")
    await fixture.clock.pass(100)
    await until(() => out.rows.length === 1)
    owner.killAt(command)
    for (const text of ["meanwhile", "and then"]) await alice.send("bob", text)
    await fixture.clock.pass(100)
    await until(() => out.rows.length >= 3)
    out.lose()
    await following
    expect(owner.deaths()).toBe(1)
    expect(textsIn(out)).toEqual(["before", "meanwhile", "and then"])
    expect(await bob.client.call("inbox", { markRead: false })).toEqual([])
  },
)

test("an inbox that is followed ends when no owner takes over", async () => {
  const { bob } = await couple()
  const owner = ownerOf(bob)
  const call: ChatClient["call"] = (command, params) =>
    command === "events" && owner.deaths() > 0
      ? Promise.reject(new Fault("unavailable", "the process is stopped"))
      : owner.client.call(command, params)
  const out = new RecordedOutput()
  const following = followInbox({ client: { ...owner.client, call }, out })
  const ended = expect(following).rejects.toMatchObject({
    code: "unavailable",
    message: "the process is stopped",
  })
  await bob.client.call("status", {})
  owner.killAt("events")
  owner.emit({ kind: "unlocked" })
  await ended
})
