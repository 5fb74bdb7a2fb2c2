import { spawn } from "node:child_process"
import { join } from "node:path"
import { once } from "node:events"
import { afterAll, expect, onTestFinished, test } from "vitest"
import { Running } from "../cli/cli-fixture.ts"
import { freePort, mosquittoIsMissing } from "../mosquitto.ts"
import { startEpmd, rabbitIsMissing } from "../rabbit.ts"
import { isMessage, pair, type JsonOutput, schemaIs, initHost, ScenarioFixture } from "./scenario-fixture.ts"

const fixture = new ScenarioFixture()
afterAll(() => fixture.end())

/** The words of a printed line. */
function words(line: unknown): string[] {
  return String(line)
    .split(" ")
    .map((word) => word.replaceAll("'", ""))
}

test.skipIf(mosquittoIsMissing())(
  "two users through the folder of `broker mosquitto`, started by the two lines that it prints",
  async () => {
    const [alice, bob, carol] = [fixture.user("alice"), fixture.user("bob"), fixture.user("carol")]
    const folder = join(fixture.folder, "mosquitto")
    const ports = ["--port", String(await freePort()), "--guest-port", String(await freePort())]
    const written = await alice.runJson("broker", "mosquitto", folder, "--loopback", ...ports)
    const { start, members, guests } = written.find(schemaIs("mosquitto")) as JsonOutput & {
      readonly start: readonly string[]
    }
    const [program = "", ...args] = words(start[0])
    const mosquitto = new Running(spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] }))
    onTestFinished(() => mosquitto.stop())
    await mosquitto.prints(/running/)
    const [, ...registrar] = words(start[1])
    const registrarProcess = alice.start([...registrar, "--json"])
    await registrarProcess.waitForOutput(schemaIs("registrar"))

    await alice.runJson("init", "--name", "alice", "--no-passphrase", "--broker", "here")
    const offer = alice.start(["pair", "--json", "--no-qr"])
    const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
    expect(carrier).toMatch(new RegExp(`@${String(guests)}$`))
    await bob.runJson("pair", String(carrier), "--my-name", "bob", "--no-passphrase")
    await offer.finished()
    expect(await bob.runJson("status")).toMatchObject([{ broker: members, connection: { kind: "online" } }])

    const link = bob.start(["pair", "--link", "--json"])
    const { offer: byLink } = await link.waitForOutput(schemaIs("offer"))
    await carol.runJson("pair", String(byLink), "--my-name", "carol", "--no-passphrase")
    await link.finished()

    const follower = bob.start(["inbox", "--follow", "--json"])
    await alice.runJson("send", "bob", "through two doors")
    await carol.runJson("send", "bob", "in by the link")
    await follower.waitForOutput(isMessage("through two doors"))
    await follower.waitForOutput(isMessage("in by the link"))
  },
)

test.skipIf(rabbitIsMissing())(
  "two users through the folder of `broker rabbitmq`, started by the two lines that it prints",
  async () => {
    const [dora, emil] = [fixture.user("dora"), fixture.user("emil")]
    const folder = join(fixture.folder, "rabbitmq")
    const [port, registrarPort, distPort] = [await freePort(), await freePort(), await freePort()]
    const ports = ["--port", String(port), "--registrar-port", String(registrarPort)]
    const written = await dora.runJson("broker", "rabbitmq", folder, "--loopback", ...ports)
    const { start } = written.find(schemaIs("rabbitmq")) as JsonOutput & { readonly start: readonly string[] }
    const cluster = await startEpmd()
    // Only the settings in which a second node on this machine must differ from the first.
    const apart = { ERL_EPMD_PORT: String(cluster.epmdPort), RABBITMQ_DIST_PORT: String(distPort) }
    const env = { PATH: process.env["PATH"], HOME: cluster.folder, LANG: "C.UTF-8", ...apart }
    const node = spawn("sh", ["-c", `exec env ${String(start[0])}`], { env, detached: true })
    onTestFinished(async () => {
      const ended = once(node, "exit")
      process.kill(-(node.pid ?? 0), "SIGKILL")
      await ended
      await cluster.close()
    })
    await new Running(node).prints(/completed with \d+ plugins/)
    const [, ...registrar] = words(start[1])
    await dora.start([...registrar, "--json"]).waitForOutput(schemaIs("registrar"))

    await initHost(dora)
    expect(await pair(dora, emil)).toHaveLength(4)
    const follower = emil.start(["inbox", "--follow", "--json"])
    await dora.runJson("send", "emil", "from a folder")
    await follower.waitForOutput(isMessage("from a folder"))
  },
  // A whole RabbitMQ on two shared cores: an upper bound, not a check of speed.
  180_000,
)
