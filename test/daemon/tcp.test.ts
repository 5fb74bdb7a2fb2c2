import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"

import { COMMANDS } from "../../src/engine/api.ts"
import { serveTcp } from "../../src/daemon/tcp.ts"
import { readOrCreateToken } from "../../src/daemon/token.ts"
import { EngineFixture } from "../engine/engine-fixture.ts"
import { Peer } from "./rpc-peer.ts"

const LOOPBACK = "127.0.0.1"

type TcpSetup = { readonly port: number; readonly token: string; readonly tokenFile: string }

/** Alice's engine, served over TCP. */
async function setUp(): Promise<TcpSetup> {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-tcp-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const { client } = await new EngineFixture().profile("alice")
  const tokenFile = join(folder, "api.token")
  const token = await readOrCreateToken(tokenFile)
  const call = (method: string): Promise<unknown> => client.call(method as "contacts", {})
  const service = { commands: COMMANDS, call, listen: client.listen }
  const served = await serveTcp(service, { host: LOOPBACK, port: 0 }, token)
  onTestFinished(() => served.close())
  return { port: served.port, token, tokenFile }
}

const auth = (token: unknown, id = 1): string =>
  `${JSON.stringify({ jsonrpc: "2.0", id, method: "auth", params: { token } })}\n`

test("the token is made once, readable by this user only", async () => {
  const { token, tokenFile } = await setUp()
  expect(statSync(tokenFile).mode & 0o777).toBe(0o600)
  expect(readFileSync(tokenFile, "utf8")).toBe(`${token}\n`)
  expect(await readOrCreateToken(tokenFile)).toBe(token)
  writeFileSync(tokenFile, "letmein\n")
  await expect(readOrCreateToken(tokenFile)).rejects.toThrow(`${tokenFile} holds no token`)
})

test("a client that shows the token gets answers, also to requests in the same packet", async () => {
  const { port, token } = await setUp()
  const peer = new Peer({ host: LOOPBACK, port })
  peer.write(`${auth(token)}{"jsonrpc":"2.0","id":2,"method":"contacts"}\n`)
  expect(await peer.waitFor(({ id }) => id === 1)).toMatchObject({ result: null })
  expect(await peer.waitFor(({ id }) => id === 2)).toMatchObject({ result: [] })
  expect(await peer.ask("status")).toMatchObject({ result: { name: "alice" } })
})

test.each([
  ["a wrong token", () => auth("x".repeat(43))],
  ["a token that is too short", (token: string) => auth(token.slice(1))],
  ["no token", () => auth(undefined)],
  ["a token of another type", () => auth([1])],
  ["another method first", () => '{"jsonrpc":"2.0","id":1,"method":"status"}\n'],
  ["no JSON", () => "hello\n"],
  ["half a line that never could be one", () => "G"],
  ["a line without an end", () => `{${" ".repeat(600)}`],
])("%s closes the connection without an answer", async (_name, line) => {
  const { port, token } = await setUp()
  const peer = new Peer({ host: LOOPBACK, port })
  peer.write(line(token))
  expect(await peer.ended()).toEqual([])
})

test("a web page cannot send requests, even if it knew the token", async () => {
  const { port, token } = await setUp()
  const body = `${auth(token)}{"jsonrpc":"2.0","id":2,"method":"contacts"}\n`
  const failed = await new Promise<unknown>((resolve) => {
    const sent = request({ host: LOOPBACK, port, method: "POST" }, resolve)
    sent.on("error", resolve)
    sent.end(body)
  })
  expect(failed).toMatchObject({ code: "ECONNRESET" })
})

test("silent clients keep nobody out: the oldest makes room for each that comes", async () => {
  const { port, token } = await setUp()
  const silentPeers: Peer[] = []
  for (let n = 0; n < 40; n++) {
    const peer = new Peer({ host: LOOPBACK, port })
    await once(peer.socket, "connect")
    silentPeers.push(peer)
  }
  for (const peer of silentPeers.slice(0, 8)) expect(await peer.ended()).toEqual([])
  const alice = new Peer({ host: LOOPBACK, port })
  alice.write(auth(token))
  expect(await alice.first()).toMatchObject({ result: null })
  expect(await silentPeers[8]?.ended()).toEqual([])
  expect(silentPeers.slice(9).filter(({ socket }) => socket.readableEnded)).toEqual([])
  // One that has shown the token is not among those that make room.
  for (let n = 0; n < 40; n++) silentPeers.push(new Peer({ host: LOOPBACK, port }))
  await Promise.all(silentPeers.slice(9, 40).map((peer) => peer.ended()))
  expect(await alice.ask("status")).toMatchObject({ result: { name: "alice" } })
})

test("a port in use is refused, and the fault names it", async () => {
  const { port, token } = await setUp()
  const service = { commands: {}, call: () => Promise.resolve(null), listen: () => () => undefined }
  await expect(serveTcp(service, { host: LOOPBACK, port }, token)).rejects.toMatchObject({
    code: "unavailable",
    message: `cannot listen on 127.0.0.1 port ${port}: EADDRINUSE`,
  })
})
