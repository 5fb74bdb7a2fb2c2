import { createServer, type Server } from "node:net"
import { once } from "node:events"
import { describe, expect, it } from "vitest"
import { Peer } from "../daemon/rpc-peer.ts"
import { until } from "../until.ts"
import { pairedUsers, QUICK_TIMERS, ScenarioFixture, startBroker, type User } from "./scenario-fixture.ts"

function addressOf(user: User, status: { readonly [field: string]: unknown }): number {
  const [, port] = /:(\d+)$/.exec(String(status["broker"])) ?? []
  if (port === undefined) throw new Error(`${user.name} has no broker`)
  return Number(port)
}

/** As the portal of a public network does. */
async function startPortal(port: number): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined)
    socket.end("HTTP/1.1 302 Found\r\nLocation: http://portal/\r\nContent-Length: 0\r\n\r\n")
  })
  server.listen(port, "127.0.0.1")
  await once(server, "listening")
  return server
}

function kindOf(status: unknown): string {
  return (status as { connection: { kind: string } }).connection.kind
}

describe("status", () => {
  it("ends with 0 online, 75 offline, 77 refused and 78 without a broker, and says why in text and JSON", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob, broker } = await pairedUsers(fixture)
    const online = { connection: { kind: "online" }, unread: 0, daemon: false, queued: 0 }
    expect(await bob.run(["status"])).toMatchObject({ code: 0, stderr: "" })
    expect(await bob.runJson("status")).toMatchObject([online])
    await alice.runJson("send", "bob", "one")
    await alice.runJson("send", "bob", "two")
    const daemon = bob.start(["daemon"])
    await daemon.prints(/daemon running/)
    await until(async () => (await bob.status())["unread"] === 2)
    const running = await bob.run(["status"])
    expect(running.stdout).toMatch(/^daemon {4}running\nunread {4}2 messages\noutbox {4}empty\n/m)
    daemon.kill("SIGTERM")
    await daemon.finished()

    await alice.runJson("broker", "revoke", "bob")
    const refused = await bob.run(["status", "--json"])
    expect(refused).toMatchObject({
      code: 77,
      output: [{ connection: { kind: "stopped", code: "refused" } }],
    })
    expect(refused.stderr).toMatch(
      /"code":"refused","exit":77,"message":"refused: .*; the next command tries again"/,
    )

    broker.kill("SIGTERM")
    await broker.finished()
    const offline = await bob.run(["status"])
    expect(offline.code).toBe(75)
    expect(offline.stderr).toMatch(
      /^mqttchat: not connected; the next command tries again\n {2}→ .*mqttchat /,
    )
    const carol = fixture.user("carol")
    expect(await carol.run(["status"])).toMatchObject({ code: 78, stdout: "" })
    await carol.runJson("init", "--name", "carol", "--no-passphrase", "--broker", "later")
    expect(await carol.run(["status", "--json"])).toMatchObject({ code: 78, output: [{ broker: null }] })
  })

  it("says that a portal answers in the broker's place, and a daemon is back when the broker is", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob, broker } = await pairedUsers(fixture)
    const port = addressOf(bob, await bob.status())
    const daemon = bob.start(["daemon"], QUICK_TIMERS)
    await daemon.prints(/daemon running/)
    const script = new Peer({ path: bob.file("owner.sock") })
    const isConnection = async (kind: string): Promise<boolean> =>
      kindOf((await script.ask("status"))["result"]) === kind
    broker.kill("SIGTERM")
    await broker.finished()
    const portal = await startPortal(port)
    await until(() => isConnection("stopped"))
    expect(kindOf(await bob.status())).toBe("stopped")
    portal.close()
    await startBroker(alice, "again")
    await until(() => isConnection("online"))
    expect(kindOf(await bob.status())).toBe("online")
  })
})

describe("a message that goes out later", () => {
  it("says when, and the one thing to do", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { bob, broker } = await pairedUsers(fixture)
    broker.kill("SIGTERM")
    await broker.finished()
    const alone = await bob.run(["send", "alice", "hello"])
    expect(alone.code).toBe(75)
    expect(alone.stderr).toMatch(
      /goes out later: the broker at \S+ is not running: \S+ \S+; the next command that is online sends it\n {2}→ mqttchat daemon, /,
    )
    const daemon = bob.start(["daemon"])
    await daemon.prints(/daemon running/)
    const withDaemon = await bob.run(["send", "alice", "hello again"])
    expect(withDaemon.code).toBe(75)
    expect(withDaemon.stderr).toMatch(
      /; the daemon sends it when the broker takes it\n {2}→ mqttchat outbox\n/,
    )
  })
})
