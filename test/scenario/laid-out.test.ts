import { spawn } from "node:child_process"
import { join } from "node:path"
import { once } from "node:events"
import { afterAll, expect, onTestFinished, test } from "vitest"
import { Running } from "../cli/run.ts"
import { freePort, mosquittoIsMissing } from "../mosquitto.ts"
import { dig, rabbitIsMissing } from "../rabbit.ts"
import { isMessage, pair, type Said, schemaIs, settle, Story } from "./people.ts"

const story = new Story()
afterAll(() => story.end())

/** A line as it was printed, as words. */
function words(line: unknown): string[] {
  return String(line)
    .split(" ")
    .map((word) => word.replaceAll("'", ""))
}

test.skipIf(mosquittoIsMissing())(
  "two people through the folder of `broker mosquitto`, started by the two lines that it prints",
  async () => {
    const [alice, bob, carol] = [story.person("alice"), story.person("bob"), story.person("carol")]
    const folder = join(story.folder, "mosquitto")
    const ports = ["--port", String(await freePort()), "--guest-port", String(await freePort())]
    const laid = await alice.tell("broker", "mosquitto", folder, "--loopback", ...ports)
    const { start, members, guests } = laid.find(schemaIs("mosquitto")) as Said & {
      readonly start: readonly string[]
    }
    const [program = "", ...args] = words(start[0])
    const mosquitto = new Running(spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] }))
    onTestFinished(() => mosquitto.stop())
    await mosquitto.says(/running/)
    const [, ...registrar] = words(start[1])
    const beside = alice.start([...registrar, "--json"])
    await beside.hears(schemaIs("registrar"))

    await alice.tell("init", "--name", "alice", "--no-passphrase", "--broker", "here")
    const offer = alice.start(["pair", "--json", "--no-qr"])
    const { carrier } = await offer.hears(schemaIs("offer"))
    expect(carrier).toMatch(new RegExp(`@${String(guests)}$`))
    await bob.tell("pair", String(carrier), "--my-name", "bob", "--no-passphrase")
    await offer.finished()
    expect(await bob.tell("status")).toMatchObject([{ broker: members, link: { kind: "online" } }])

    const link = bob.start(["pair", "--link", "--json"])
    const { carrier: byLink } = await link.hears(schemaIs("offer"))
    await carol.tell("pair", String(byLink), "--my-name", "carol", "--no-passphrase")
    await link.finished()

    const hearing = bob.start(["inbox", "--follow", "--json"])
    await alice.tell("send", "bob", "through two doors")
    await carol.tell("send", "bob", "in by the link")
    await hearing.hears(isMessage("through two doors"))
    await hearing.hears(isMessage("in by the link"))
  },
)

test.skipIf(rabbitIsMissing())(
  "two people through the folder of `broker rabbitmq`, started by the two lines that it prints",
  async () => {
    const [dora, emil] = [story.person("dora"), story.person("emil")]
    const folder = join(story.folder, "rabbitmq")
    const [port, registrarPort, distPort] = [await freePort(), await freePort(), await freePort()]
    const ports = ["--port", String(port), "--registrar-port", String(registrarPort)]
    const laid = await dora.tell("broker", "rabbitmq", folder, "--loopback", ...ports)
    const { start } = laid.find(schemaIs("rabbitmq")) as Said & { readonly start: readonly string[] }
    const burrow = await dig()
    // Only what a second node on this machine must have apart from the first.
    const apart = { ERL_EPMD_PORT: String(burrow.epmdPort), RABBITMQ_DIST_PORT: String(distPort) }
    const env = { PATH: process.env["PATH"], HOME: burrow.folder, LANG: "C.UTF-8", ...apart }
    const node = spawn("sh", ["-c", `exec env ${String(start[0])}`], { env, detached: true })
    onTestFinished(async () => {
      const ended = once(node, "exit")
      process.kill(-(node.pid ?? 0), "SIGKILL")
      await ended
      await burrow.close()
    })
    await new Running(node).says(/completed with \d+ plugins/)
    const [, ...registrar] = words(start[1])
    await dora.start([...registrar, "--json"]).hears(schemaIs("registrar"))

    await settle(dora)
    expect(await pair(dora, emil)).toHaveLength(4)
    const hearing = emil.start(["inbox", "--follow", "--json"])
    await dora.tell("send", "emil", "from a folder")
    await hearing.hears(isMessage("from a folder"))
  },
  // A whole RabbitMQ on two shared cores: a ceiling, no verdict on speed.
  180_000,
)
