import { afterAll, beforeAll, expect, test } from "vitest"
import { freePort } from "../mosquitto.ts"
import { type Epmd, startEpmd, type Rabbit, startRabbit } from "../rabbit.ts"
import { authorityOf } from "../scenario/membership.ts"
import { isMessage, pair, schemaIs, initHost, ScenarioFixture } from "../scenario/scenario-fixture.ts"

const NAMES = ["one", "two", "three"] as const
const fixture = new ScenarioFixture()
const [alice, bob] = [fixture.user("alice"), fixture.user("bob")]
const nodes = new Map<string, Rabbit>()
let epmd: Epmd
let killed: Rabbit | undefined

beforeAll(async () => {
  const authority = await authorityOf(alice)
  const authPort = await freePort()
  epmd = await startEpmd()
  const started = NAMES.map(async (name) => {
    nodes.set(name, await startRabbit(epmd, name, { authority, authPort, cluster: NAMES }))
  })
  await Promise.all(started)
  const addresses = NAMES.map((name) => `127.0.0.1:${String(nodes.get(name)?.port)}`).join(",")
  const registrarArgs = ["registrar", "--broker", addresses, "--rabbitmq", String(authPort), "--json"]
  await alice.start(registrarArgs).waitForOutput(schemaIs("registrar"))
  await initHost(alice)
  await pair(alice, bob)
})
afterAll(async () => {
  await fixture.end()
  for (const node of nodes.values()) await node.close()
  await epmd.close()
})

function runningAt(node: Rabbit | undefined): readonly string[] {
  const status = node?.control("cluster_status", "--formatter", "json") ?? "{}"
  return (JSON.parse(status) as { running_nodes: string[] }).running_nodes
}

type Queue = { readonly leader: string; readonly messages: number }

/** What node "one" reports about the queue of this device. */
function queueOf(device: string): Queue {
  const table = nodes.get("one")?.control("list_queues", "--silent", "name", "leader", "messages") ?? ""
  const line = table.split("\n").find((queue) => queue.includes(device))
  const [, leader = "", messages] = /\t(\w+)@localhost\t(\d+)$/.exec(line ?? "") ?? []
  return { leader, messages: Number(messages) }
}

const typedLines = (from: number): string =>
  texts(from)
    .map((text) => `${text}\n`)
    .join("")
const texts = (from: number): string[] => Array.from({ length: 10 }, (_, at) => `number ${String(from + at)}`)

test("three nodes form one cluster, and each knows the others", () => {
  for (const node of nodes.values()) expect(runningAt(node)).toHaveLength(NAMES.length)
})

test("the node that holds Bob's messages is killed, and nothing is lost or doubled", async () => {
  const [status] = await bob.runJson("status")
  expect(status).toMatchObject({ connection: { kind: "online" } })
  expect(String(status?.["broker"]).split(",")).toHaveLength(NAMES.length)
  const devices = await alice.runJson("broker", "devices")
  const device = String(devices.find((row) => row["user"] !== "operator")?.["device"])

  const chat = alice.start(["chat", "bob"])
  chat.type(typedLines(0))
  while (queueOf(device).messages < 10) continue
  killed = nodes.get(queueOf(device).leader)
  await killed?.close()
  chat.type(typedLines(10))
  const follower = bob.start(["inbox", "--follow", "--json"])
  for (const text of [...texts(0), ...texts(10)]) await follower.waitForOutput(isMessage(text))
  chat.endInput()
  await chat.finished()
  follower.kill("SIGINT")
  const { output } = await follower.ended()
  expect(output.map(({ text }) => text)).toEqual([...texts(0), ...texts(10)])
})

test("the killed node comes back, and joins again", async () => {
  await killed?.restart("SIGTERM")
  expect(runningAt(killed)).toHaveLength(NAMES.length)
  await alice.runJson("send", "bob", "all three again")
  expect(await bob.receiveTexts("all three again")).toContain("all three again")
})
