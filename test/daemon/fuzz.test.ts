import { mkdtempSync, rmSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import * as v from "valibot"
import { describe, expect, onTestFinished, test } from "vitest"

import { ACCESS, COMMANDS } from "../../src/engine/api.ts"
import { REQUEST_BYTES_MAX } from "../../src/daemon/rpc.ts"
import { CONNECTIONS_MAX, serveOwner } from "../../src/daemon/server.ts"
import { EngineFixture, type TestProfile } from "../engine/engine-fixture.ts"
import { Peer, type RpcObject } from "./rpc-peer.ts"
import { until } from "../until.ts"

/** Far more than any of these tests needs, far less than unbounded requests would take. */
const MEMORY_BYTES_MAX = 400 * 1024 * 1024
const METHODS: Readonly<
  Record<string, { readonly params: v.StrictObjectSchema<v.ObjectEntries, undefined> }>
> = {
  ...COMMANDS,
  ...ACCESS,
}

type FuzzSetup = {
  readonly alice: TestProfile
  readonly path: string
  /** Other clients are still served. */
  readonly stillAnswers: () => Promise<void>
}

/** Alice's engine, which knows Bob, served over a real socket. */
async function setUp(): Promise<FuzzSetup> {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-fuzz-"))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  await fixture.pair(alice, await fixture.profile("bob"))
  const path = join(folder, "alice.sock")
  const served = await serveOwner(alice.client, path)
  onTestFinished(() => served.close())
  const stillAnswers = async (): Promise<void> => {
    const peer = new Peer({ path })
    expect(await peer.ask("status")).toMatchObject({ result: { name: "alice" } })
    peer.socket.destroy()
  }
  return { alice, path, stillAnswers }
}

/** With valid parameters these wait for a peer, and there is none. */
const WAITING_METHODS = ["pair-offer", "device-offer"]

describe("a hostile client", () => {
  test("gets one answer for each line, valid or not", async () => {
    const { path, stillAnswers } = await setUp()
    const fragment = fc.constantFrom(
      '{"jsonrpc":"2.0"',
      ',"id":',
      '"method":"send"',
      "}",
      "[",
      '"',
      "\\",
      "\0",
      "null",
    )
    const line = fc
      .oneof(
        fc.string({ unit: "binary" }),
        fc.json(),
        fc.array(fragment).map((parts) => parts.join("")),
      )
      .map((text) => text.replaceAll("\n", ""))
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 200 }), async (lines) => {
        const peer = new Peer({ path })
        peer.write(lines.map((text) => `${text}\n`).join(""))
        peer.socket.end()
        const received = await peer.ended()
        expect(received).toHaveLength(lines.length)
        for (const answer of received) expect(answer).toMatchObject({ jsonrpc: "2.0", error: {} })
      }),
    )
    await stillAnswers()
  })

  test.each(Object.keys(METHODS))(
    "gets an answer to %s with any parameters, and finds no bug",
    async (method) => {
      const { path } = await setUp()
      const peer = new Peer({ path })
      const schema = METHODS[method]?.params ?? v.strictObject({})
      const fields = Object.keys(schema.entries)
      const names = fc.oneof(fc.constantFrom("__proto__", "constructor", ...fields), fc.string())
      const value = fc.oneof(
        fc.jsonValue(),
        fc.constantFrom("bob", "", -1, 1e308, 2 ** 53, "x".repeat(70_000)),
      )
      const params = fc.oneof(
        fc.jsonValue(),
        fc.array(fc.tuple(names, value)).map((all) => Object.fromEntries(all)),
      )
      await fc.assert(
        fc.asyncProperty(params, async (given) => {
          fc.pre(!WAITING_METHODS.includes(method) || !v.is(schema, given ?? {}))
          const { error } = await peer.ask(method, given as object)
          expect((error as RpcObject | undefined)?.["data"]).not.toMatchObject({ code: "bug" })
        }),
        { numRuns: 50 },
      )
    },
  )

  test("may nest as deep as a line is long", async () => {
    const { path, stillAnswers } = await setUp()
    const deep = "[".repeat(REQUEST_BYTES_MAX / 2 - 100) + "]".repeat(REQUEST_BYTES_MAX / 2 - 100)
    const peer = new Peer({ path })
    peer.write(`${deep}\n`)
    peer.write(`{"jsonrpc":"2.0","id":2,"method":"send","params":{"contact":${deep}}}\n`)
    expect(await peer.waitFor(({ id }) => id === 2)).toMatchObject({ error: { code: -32602 } })
    await stillAnswers()
  })

  test("may write byte by byte", async () => {
    const { path } = await setUp()
    const peer = new Peer({ path })
    for (const byte of Buffer.from('{"jsonrpc":"2.0","id":"ž","method":"contacts"}\n')) {
      await new Promise<void>((resolve) => peer.socket.write(Uint8Array.of(byte), () => resolve()))
    }
    expect(await peer.waitFor(({ id }) => id === "ž")).toMatchObject({ result: [{ name: "bob" }] })
  })

  test("may close its side, and still gets its answers", async () => {
    const { path } = await setUp()
    const peer = new Peer({ path })
    const line = '{"jsonrpc":"2.0","id":1,"method":"contacts"}\n'
    peer.write(line.repeat(1000))
    peer.socket.end("half a li")
    expect(await peer.ended()).toHaveLength(1000)
  })

  test("may disconnect at any moment", async () => {
    const { path, stillAnswers } = await setUp()
    for (const text of [
      "{",
      '{"jsonrpc":"2.0","id":1,"method":"listen"}\n{',
      '{"jsonrpc":"2.0","id":1,"method":"contacts"}\n',
    ]) {
      const sockets = Array.from({ length: 50 }, () => connect(path))
      await Promise.all(
        sockets.map((socket) => new Promise<void>((resolve) => socket.write(text, () => resolve()))),
      )
      for (const socket of sockets) socket.destroy()
    }
    await stillAnswers()
  })

  describe("and uses no more memory than its share", () => {
    test("with lines that never end", async () => {
      const { path } = await setUp()
      const before = process.memoryUsage.rss()
      const peers = Array.from({ length: 20 }, () => new Peer({ path }))
      for (const peer of peers) peer.write(Buffer.alloc(16 * REQUEST_BYTES_MAX, "x"))
      for (const peer of peers) expect(await peer.ended()).toMatchObject([{ error: { code: -32600 } }])
      expect(process.memoryUsage.rss() - before).toBeLessThan(MEMORY_BYTES_MAX)
    })

    test("when it asks for much and reads nothing", async () => {
      const { alice, path, stillAnswers } = await setUp()
      for (let sent = 0; sent < 30; sent++) await alice.send("bob", "x".repeat(60_000))
      const before = process.memoryUsage.rss()
      const unread = connect(path)
      unread.pause()
      const line = '{"jsonrpc":"2.0","id":1,"method":"history","params":{"contact":"bob","limit":1000}}\n'
      // 1.8 MB each: 18 GB, if they were all answered.
      unread.write(line.repeat(10_000))
      for (let round = 0; round < 100; round++) await stillAnswers()
      expect(process.memoryUsage.rss() - before).toBeLessThan(MEMORY_BYTES_MAX)
      unread.destroy()
    })

    test("with a thousand connections: each is answered or closed, and others can connect afterwards", async () => {
      const { path } = await setUp()
      const before = process.memoryUsage.rss()
      const sockets = Array.from({ length: 1000 }, () => connect(path))
      const outcomes = await Promise.all(sockets.map(outcomeOf))
      const answered = outcomes.filter((outcome) => outcome === "answered").length
      expect(answered).toBeGreaterThan(0)
      expect(answered).toBeLessThanOrEqual(CONNECTIONS_MAX)
      expect(process.memoryUsage.rss() - before).toBeLessThan(MEMORY_BYTES_MAX)
      for (const socket of sockets) socket.destroy()
      await until(async () => (await outcomeOf(connect(path))) !== "closed")
    })
  })
})

function outcomeOf(socket: Socket): Promise<"answered" | "closed"> {
  return new Promise((resolve) => {
    socket.once("data", () => resolve("answered"))
    socket.once("close", () => resolve("closed"))
    socket.on("error", () => socket.destroy())
    socket.write('{"jsonrpc":"2.0","id":1,"method":"status"}\n')
  })
}
