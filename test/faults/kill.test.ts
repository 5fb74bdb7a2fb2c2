import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { pinOf } from "../../src/broker/certificates.ts"
import type { ChatClient, Contact, Message } from "../../src/engine/api.ts"
import { FAULT_POINTS, type FaultPoint } from "../../src/engine/state/fault-points.ts"
import { toHex } from "../../src/crypto/bytes.ts"
import { connectOwner } from "../../src/daemon/client.ts"
import { actorFile } from "../actors.ts"
import { openRealEngine, type Credentials } from "../engine/process-fixture.ts"
import { REAL_BROKERS, type RealBroker } from "./brokers.ts"
import type { Store } from "../../src/store/message-store.ts"

const PAIRING: readonly FaultPoint[] = [
  "init-decided",
  "init-committed",
  "welcome-decided",
  "welcome-committed",
  "recovery-committed",
]
const MESSAGING = FAULT_POINTS.filter((point) => !PAIRING.includes(point))

let broker: RealBroker
let bob: { client: ChatClient; store: Store }
let children: Child[]

async function begin(open: () => Promise<RealBroker>): Promise<void> {
  broker = await open()
  children = []
  bob = await openRealEngine(await credentialsOf("bob"), folderOf("bob"), () => undefined)
  await until([bob.client], async () => (await bob.client.call("status", {})).connection.kind === "online")
  writeFileSync(join(folderOf("alice"), "person.json"), JSON.stringify(await credentialsOf("alice")))
}

async function end(): Promise<void> {
  for (const child of children) child.process.kill("SIGKILL")
  await bob.client.close()
  await bob.store.close()
  await broker.end()
}

type Child = {
  readonly process: ChildProcess
  readonly client: ChatClient
  readonly ended: Promise<unknown[]>
}

function folderOf(name: string): string {
  const folder = join(broker.folder, name)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return folder
}

async function credentialsOf(name: string): Promise<Credentials> {
  const pin = toHex(pinOf(broker.authority.caCertificate))
  return { name, port: broker.port, pin, device: await broker.device() }
}

/** Alice's process, which dies at `point` or not at all. */
async function startAlice(point: FaultPoint | ""): Promise<Child> {
  const folder = folderOf("alice")
  const child = spawn(process.execPath, [actorFile("engine"), folder, point], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const ended = once(child, "exit")
  const isReady = await Promise.race([once(child.stdout, "data"), ended.then(() => undefined)])
  const client = isReady && (await connectOwner(join(folder, "owner.sock")))
  // It can die before the first request: work that an earlier process left undone passes the same points.
  const started = { process: child, client: client ?? DEAD, ended }
  children.push(started)
  return started
}

const DEAD: ChatClient = {
  call: () => Promise.reject(new Error("dead")),
  listen: () => () => undefined,
  close: () => Promise.resolve(),
}

/** Resolves when the condition holds; each event of any user checks it again. */
async function until(clients: readonly ChatClient[], holds: () => Promise<boolean>): Promise<void> {
  for (;;) {
    let stop: (() => void)[] = []
    const event = new Promise<void>(
      (resolve) => (stop = clients.map((client) => client.listen(() => resolve()))),
    )
    const done = await holds()
    if (!done) await event
    for (const end of stop) end()
    if (done) return
  }
}

/**
 * Whether it died where it should: if the test came to its end first, it never got there. A test that fails on the way
 * has lost its process.
 */
async function died({ ended }: Child, scenario: Promise<unknown>): Promise<boolean> {
  const outcome = await Promise.race([
    ended,
    scenario.then(
      () => undefined,
      () => ended,
    ),
  ])
  return outcome?.[1] === "SIGKILL"
}

async function sendText(client: ChatClient, to: string, text: string): Promise<void> {
  await client.call("send", { contact: to, text, wait: "queued", timeoutMs: 0 })
}

function conversation(client: ChatClient, name: string): Promise<Message[]> {
  return client.call("history", { contact: name, limit: 1_000 })
}

const texts = (messages: Message[], mine: boolean) =>
  messages.filter((message) => message.mine === mine).map(({ text }) => text)

async function onlyContact(client: ChatClient): Promise<Contact | undefined> {
  return (await client.call("contacts", {}))[0]
}

async function fileOf(client: ChatClient): Promise<string> {
  const offer = await client.call("pair-offer", { kind: "file", wordCount: 2 })
  if (offer.kind !== "file") throw new Error("not a file")
  return offer.file
}

/** Both know each other by name, and each has received a message on a chain that answers its own. */
async function untilEstablished(alice: ChatClient): Promise<void> {
  await until([alice, bob.client], async () => {
    const both = await Promise.all([onlyContact(alice), onlyContact(bob.client)])
    return both[0]?.name === "bob" && both[1]?.name === "alice"
  })
  await sendText(alice, "bob", "shall we?")
  await until([alice, bob.client], () => allDelivered(alice, bob.client))
  await sendText(bob.client, "alice", "yes")
  await until([alice, bob.client], () => allDelivered(alice, bob.client))
  const both = await Promise.all([onlyContact(alice), onlyContact(bob.client)])
  expect(both.map((contact) => contact?.state)).toEqual(["established", "established"])
  await untilSameWords(alice)
}

/** Both have the words to compare, and the same. */
async function untilSameWords(alice: ChatClient): Promise<void> {
  const words = async () => [
    (await alice.call("verify", { contact: "bob" })).words,
    (await bob.client.call("verify", { contact: "alice" })).words,
  ]
  await until([alice, bob.client], async () => (await words()).every(({ length }) => length === 4))
  const [hers, his] = await words()
  expect(hers).toEqual(his)
}

async function allDelivered(alice: ChatClient, other: ChatClient): Promise<boolean> {
  const all = [...(await conversation(alice, "bob")), ...(await conversation(other, "alice"))]
  return all.every(({ mine, state }) => !mine || state === "delivered")
}

describe.each(REAL_BROKERS)("a conversation on %s", (_name, open) => {
  beforeEach(() => begin(open))
  afterEach(end)

  test("[D-1] killed at every point of sending and receiving, one after the other, nothing is lost or shown twice", async () => {
    const first = await startAlice("")
    await first.client.call("pair-answer", { kind: "file", offer: await fileOf(bob.client) })
    await untilEstablished(first.client)
    first.process.kill("SIGTERM")
    await first.ended

    const promised: string[] = []
    for (const point of MESSAGING) {
      const alice = await startAlice(point)
      const scenario = (async () => {
        await sendText(bob.client, "alice", `bob at ${point}`)
        await sendText(alice.client, "bob", `alice at ${point}`)
        promised.push(`alice at ${point}`)
        await until([alice.client, bob.client], async () => {
          const received = texts(await conversation(alice.client, "bob"), false)
          return received.includes(`bob at ${point}`) && (await allDelivered(alice.client, bob.client))
        })
      })()
      expect(await died(alice, scenario), point).toBe(true)
    }

    const alice = await startAlice("")
    await until([alice.client, bob.client], () => allDelivered(alice.client, bob.client))
    const hers = await conversation(alice.client, "bob")
    const his = await conversation(bob.client, "alice")
    expect(texts(hers, false)).toEqual(["yes", ...MESSAGING.map((point) => `bob at ${point}`)])
    expect(texts(his, false).sort()).toEqual(texts(hers, true).sort())
    expect(texts(hers, true)).toEqual(expect.arrayContaining(promised))
    expect(new Set(texts(his, false)).size).toBe(texts(his, false).length)
  })
})

describe("while a session begins", () => {
  beforeEach(() => begin(REAL_BROKERS[0][1]))
  afterEach(end)

  test.each(["init-decided", "init-committed"] as const)(
    "killed at %s, the pairing is complete or not begun",
    async (point) => {
      const carrier = await fileOf(bob.client)
      const dying = await startAlice(point)
      const scenario = dying.client.call("pair-answer", { kind: "file", offer: carrier })
      expect(await died(dying, scenario)).toBe(true)
      const alice = await startAlice("")
      const begun = await onlyContact(alice.client)
      expect(begun?.state === undefined).toBe(point === "init-decided")
      if (begun === undefined) await alice.client.call("pair-answer", { kind: "file", offer: carrier })
      await untilEstablished(alice.client)
    },
  )

  test.each(["welcome-decided", "welcome-committed"] as const)(
    "killed at %s, the owner of an offer pairs all the same",
    async (point) => {
      const dying = await startAlice(point)
      const carrier = await fileOf(dying.client)
      const scenario = bob.client
        .call("pair-answer", { kind: "file", offer: carrier })
        .then(() => until([bob.client], async () => (await onlyContact(bob.client))?.state === "established"))
      expect(await died(dying, scenario)).toBe(true)
      // He writes before she has answered, under the placeholder name that he has for her until then.
      const unnamed = await onlyContact(bob.client)
      await sendText(bob.client, unnamed?.name ?? "", "are you there?")
      const alice = await startAlice("")
      await untilEstablished(alice.client)
      expect((await onlyContact(bob.client))?.name).toBe("alice")
      expect(texts(await conversation(alice.client, "bob"), false)).toEqual(["are you there?", "yes"])
    },
  )

  test.each(["receive-arrived", "receive-decided", "receive-committed"] as const)(
    "killed at %s when the WELCOME comes, its reader opens its commitment all the same",
    async (point) => {
      const carrier = await fileOf(bob.client)
      const dying = await startAlice(point)
      const scenario = dying.client
        .call("pair-answer", { kind: "file", offer: carrier })
        .then(() => until([dying.client], async () => (await onlyContact(dying.client))?.pairing === "done"))
      expect(await died(dying, scenario)).toBe(true)
      await untilEstablished((await startAlice("")).client)
    },
  )

  test.each(["receive-decided", "receive-committed"] as const)(
    "killed at %s when the commitment is opened, the owner of the offer has the words all the same",
    async (point) => {
      const dying = await startAlice(point)
      const scenario = bob.client
        .call("pair-answer", { kind: "file", offer: await fileOf(dying.client) })
        .then(() => until([dying.client], async () => (await onlyContact(dying.client))?.pairing === "done"))
      expect(await died(dying, scenario)).toBe(true)
      await untilEstablished((await startAlice("")).client)
    },
  )

  test("killed at recovery-committed, the recovery happens once, and waiting texts arrive", async () => {
    const first = await startAlice("recovery-committed")
    await first.client.call("pair-answer", { kind: "file", offer: await fileOf(bob.client) })
    await untilEstablished(first.client)
    const scenario = (async () => {
      await sendText(first.client, "bob", "before")
      await first.client.call("reset", { contact: "bob" })
    })()
    expect(await died(first, scenario)).toBe(true)
    const alice = await startAlice("")
    await sendText(alice.client, "bob", "after")
    await until([alice.client, bob.client], () => allDelivered(alice.client, bob.client))
    const his = await conversation(bob.client, "alice")
    expect(
      his.filter(({ mine }) => !mine).map(({ kind, text }) => (kind === "system" ? kind : text)),
    ).toEqual(expect.arrayContaining(["shall we?", "before", "after", "system"]))
    expect(his.filter(({ mine }) => !mine)).toHaveLength(4)
  })
})
