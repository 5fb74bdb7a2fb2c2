import { spawn } from "node:child_process"
import { join } from "node:path"
import { afterAll, expect, onTestFinished, test } from "vitest"
import { Running } from "../cli/run.ts"
import { freePort, mosquittoIsMissing } from "../mosquitto.ts"
import { isMessage, type Said, schemaIs, Story } from "./people.ts"

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
