import { once } from "node:events"
import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import * as v from "valibot"
import { expect, onTestFinished, test } from "vitest"

import { type ChatClient, COMMANDS, type Event, EVENTS } from "../../src/engine/api.ts"
import { connectOwner } from "../../src/daemon/client.ts"
import { REQUEST_BYTES_MAX } from "../../src/daemon/rpc.ts"
import { serveOwner, serveCommands } from "../../src/daemon/server.ts"
import { Fault } from "../../src/errors.ts"
import { EngineFixture, type TestProfile } from "../engine/engine-fixture.ts"
import { Peer } from "./rpc-peer.ts"

function socketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-socket-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, "alice.sock")
}

type SocketSetup = {
  fixture: EngineFixture
  alice: TestProfile
  bob: TestProfile
  path: string
  guest: ChatClient
  close: () => Promise<void>
}

/** Alice's engine runs in the owner; the guest sends requests over a real socket. */
async function setUp(): Promise<SocketSetup> {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  const path = socketPath()
  const owner = await serveOwner(alice.client, path)
  onTestFinished(() => owner.close())
  const guest = await connectOwner(path)
  if (guest === undefined) throw new Error("no owner")
  onTestFinished(() => guest.close())
  return { fixture, alice, bob, path, guest, close: owner.close }
}

test("a second process sends, reads and receives events through the owner", async () => {
  const { fixture, bob, guest } = await setUp()
  const events: Event[] = []
  guest.listen((event) => events.push(event))
  expect((await guest.call("contacts", {})).map(({ name }) => name)).toEqual(["bob"])
  await guest.call("send", { contact: "bob", text: "over the socket", wait: "queued", timeoutMs: 0 })
  await fixture.clock.pass(50)
  expect(await bob.texts("alice")).toEqual(["over the socket"])
  const history = await guest.call("history", { contact: "bob", limit: 10 })
  expect(history.map(({ text, state }) => [text, state])).toEqual([["over the socket", "delivered"]])
  expect(events.map(({ kind }) => kind)).toEqual(["message", "receipt", "receipt"])
})

test("answers and events match the command table", async () => {
  const { fixture, bob, guest } = await setUp()
  const events: Event[] = []
  guest.listen((event) => events.push(event))
  const sent = await guest.call("send", { contact: "bob", text: "as promised", wait: "queued", timeoutMs: 0 })
  await fixture.clock.pass(50)
  await bob.texts("alice")
  expect(v.is(COMMANDS.send.result, sent)).toBe(true)
  expect(v.is(COMMANDS.status.result, await guest.call("status", {}))).toBe(true)
  expect(v.is(COMMANDS.contacts.result, await guest.call("contacts", {}))).toBe(true)
  expect(v.is(COMMANDS.history.result, await guest.call("history", { contact: "bob", limit: 9 }))).toBe(true)
  expect(events).toHaveLength(3)
  for (const event of events) expect(v.is(EVENTS[event.kind].params, event)).toBe(true)
})

/** What a connection hears that listens from `since` on, until an answer to a second request. */
async function eventsSince(path: string, since: number): Promise<{ events: Event[]; error: unknown }> {
  const ask = (id: number, method: string, params: object): string =>
    `${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`
  const socket = connect(path)
  onTestFinished(() => void socket.destroy())
  const events: Event[] = []
  let error: unknown
  for await (const line of createInterface({
    input: socket.on("connect", () => socket.write(ask(1, "listen", { since }))),
  })) {
    const answer = JSON.parse(line) as { id?: number; params?: Event; error?: unknown }
    if (answer.params !== undefined) events.push(answer.params)
    if (answer.id === 1) {
      error = answer.error
      socket.write(ask(2, "contacts", {}))
    }
    if (answer.id === 2) break
  }
  return { events, error }
}

test("who listens from a number on gets what was missed first, and a plain answer where that is gone", async () => {
  const { fixture, path, guest } = await setUp()
  const { number: since } = await guest.call("events", { limit: 1 })
  for (const text of ["one", "two"])
    await guest.call("send", { contact: "bob", text, wait: "queued", timeoutMs: 0 })
  await fixture.clock.pass(50)
  const { events } = await guest.call("events", { since, limit: 100 })
  expect(events.length).toBeGreaterThanOrEqual(4)
  expect(await eventsSince(path, since)).toEqual({ events, error: undefined })
  const { error } = await eventsSince(path, since + 1_000)
  expect(error).toMatchObject({ code: -32000, data: { code: "not-found" } })
})

test("a fault crosses the socket with code, message and hint", async () => {
  const { guest } = await setUp()
  const fault: unknown = await guest.call("verify", { contact: "bop" }).catch((why: unknown) => why)
  expect(fault).toBeInstanceOf(Fault)
  expect(fault).toMatchObject({ code: "not-found", hint: "did you mean bob? mqttchat contacts" })
})

test("only this user may use the socket", async () => {
  const { path } = await setUp()
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test("the socket's folder is made, for this user only", async () => {
  const path = join(dirname(socketPath()), "mqttchat", "alice.sock")
  const alice = await new EngineFixture().profile("alice")
  const owner = await serveOwner(alice.client, path)
  onTestFinished(() => owner.close())
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700)
})

test("a folder where others could put a socket is used neither to listen nor to connect", async () => {
  const { path, close, alice } = await setUp()
  const folder = dirname(path)
  const hint = `chmod 700 ${folder}`
  chmodSync(folder, 0o755)
  await expect(connectOwner(path)).rejects.toMatchObject({ code: "config", hint })
  await close()
  await expect(serveOwner(alice.client, path)).rejects.toMatchObject({ code: "config", hint })
  expect(await connectOwner(path)).toBeUndefined()
})

test("a socket without a listener is not a fault", async () => {
  expect(await connectOwner(socketPath())).toBeUndefined()
})

test("a socket that a dead owner left behind is taken over", async () => {
  const { path, close, alice } = await setUp()
  await close()
  const again = await serveOwner(alice.client, path)
  const guest = await connectOwner(path)
  expect(await guest?.call("status", {})).toMatchObject({ name: "alice" })
  await guest?.close()
  await again.close()
})

test("requests sent before the owner ends are answered, and later ones are refused", async () => {
  const { guest, close } = await setUp()
  const requested = guest.call("contacts", {})
  // The request is sent before the owner receives the order to end.
  await guest.call("status", {})
  await close()
  expect(await requested).toHaveLength(1)
  await expect(guest.call("contacts", {})).rejects.toMatchObject({ code: "unavailable" })
})

/** Writes raw bytes and collects the lines that come back until the owner hangs up or `count` lines are there. */
function exchange(path: string, bytes: string | Buffer, count: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let received = ""
    socket.on("data", (chunk) => {
      received += chunk.toString("utf8")
      if (received.split("\n").length > count) socket.end()
    })
    socket.on("error", reject)
    socket.on("close", () => resolve(received.split("\n").filter((line) => line !== "")))
    socket.write(bytes)
  })
}

test.each([
  ["no JSON", "hello\n", -32700],
  ["a batch", "[]\n", -32600],
  ["a notification", '{"jsonrpc":"2.0","method":"status"}\n', -32600],
  ["an unknown method", '{"jsonrpc":"2.0","id":1,"method":"toString"}\n', -32601],
  ["unfit parameters", '{"jsonrpc":"2.0","id":1,"method":"history","params":{"contact":true}}\n', -32602],
  ["a parameter too many", '{"jsonrpc":"2.0","id":1,"method":"status","params":{"x":1}}\n', -32602],
])("%s gets its JSON-RPC error, and the owner goes on", async (_name, line, code) => {
  const { path, guest } = await setUp()
  const [answer = ""] = await exchange(path, line, 1)
  expect(JSON.parse(answer)).toMatchObject({ jsonrpc: "2.0", error: { code } })
  expect(await guest.call("contacts", {})).toHaveLength(1)
})

test("a line over the limit is refused and its client disconnected", async () => {
  const { path, guest } = await setUp()
  const [answer = ""] = await exchange(path, Buffer.alloc(REQUEST_BYTES_MAX + 1, "x"), 1)
  expect(JSON.parse(answer)).toMatchObject({ id: null, error: { code: -32600 } })
  await expect(
    guest.call("search", { query: "x".repeat(REQUEST_BYTES_MAX), limit: 1 }),
  ).rejects.toMatchObject({ code: "bad-data" })
})

test("connections that ask nothing, or never end a line, keep nobody out, and end none that has asked", async () => {
  const { path, guest } = await setUp()
  const silent: Peer[] = []
  for (let n = 0; n < 600; n++) {
    const peer = new Peer({ path })
    await once(peer.socket, "connect")
    if (n % 2 === 0) peer.write('{"jsonrpc":"2.0","id":1,"method":')
    silent.push(peer)
  }
  expect(await silent[0]?.ended()).toEqual([])
  const late = await connectOwner(path)
  expect(await late?.call("contacts", {})).toHaveLength(1)
  expect(await guest.call("contacts", {})).toHaveLength(1)
  await late?.close()
})

test("requests are read however their bytes are split or joined", async () => {
  const { path } = await setUp()
  const line = (id: number) => `{"jsonrpc":"2.0","id":${id},"method":"contacts"}\n`
  const answers = await exchange(path, line(1) + line(2) + line(3), 3)
  expect(answers.map((answer) => (JSON.parse(answer) as { id: number }).id).sort()).toEqual([1, 2, 3])
})

test("an owner ends though a client does not read its answers", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-socket-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, "owner.sock")
  const answer = "x".repeat(5 * 1024 * 1024)
  const commands = { much: { params: v.strictObject({}) } }
  let requested = (): void => undefined
  const call = (): Promise<unknown> => {
    setImmediate(requested)
    return Promise.resolve(answer)
  }
  const owner = await serveCommands({ commands, call, listen: () => () => undefined }, path)
  const idle = connect(path)
  onTestFinished(() => void idle.destroy())
  const answered = new Promise<void>((resolve) => (requested = resolve))
  idle.pause()
  idle.write('{"jsonrpc":"2.0","id":1,"method":"much","params":{}}\n')
  await answered
  await owner.close()
})
