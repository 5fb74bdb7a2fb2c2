import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import type { Event } from "../../src/engine/api.ts"
import { connectAnyVersion, connectOwner } from "../../src/daemon/client.ts"
import { Fault } from "../../src/errors.ts"
import { VERSION } from "../../src/version.ts"

/** Only a limit that is over makes these tests end, so its length is no matter. */
const SHORT_MS = 40

type Request = { readonly id: unknown; readonly method: string }

/** A process that answers what `answers` has an answer for, and is silent otherwise. */
async function ownerThat(answers: (request: Request) => unknown): Promise<{ path: string; asked: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-silent-"))
  const path = join(folder, "owner.sock")
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on("error", () => socket.destroy())
    socket.on("data", (chunk) => {
      for (const line of chunk.toString("utf8").split("\n").slice(0, -1)) {
        const request = JSON.parse(line) as Request
        asked.push(request.method)
        const result = answers(request)
        if (result !== undefined)
          socket.write(`${JSON.stringify({ jsonrpc: "2.0", id: request.id, result })}\n`)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { path, asked }
}

const silence = (): Fault => new Fault("unavailable", "process 7 is stopped", "kill -CONT 7")
const options = { silence, answerMs: SHORT_MS }
const versionOnly = ({ method }: Request): unknown =>
  method === "version" ? { version: VERSION } : undefined
/** As one that is stopped after it has told its version. */
const oneVersion = (): ((request: Request) => unknown) => {
  let answered = false
  return (request) => {
    if (answered) return undefined
    answered = true
    return versionOnly(request)
  }
}

test("the wait for an owner that says nothing at all has an end, with the process that it is", async () => {
  const { path } = await ownerThat(() => undefined)
  const fault: unknown = await connectOwner(path, options).catch((why: unknown) => why)
  expect(fault).toMatchObject({ code: "unavailable", message: "process 7 is stopped", hint: "kill -CONT 7" })
})

test("so has that of `daemon stop`, which asks for no version", async () => {
  const { path } = await ownerThat(() => undefined)
  const daemon = await connectAnyVersion(path, options)
  await expect(daemon?.request("stop", {})).rejects.toMatchObject({
    code: "unanswered",
    message: "process 7 is stopped: it is not known whether this was done",
  })
  await daemon?.close()
})

test("what was handed over and not answered may have been done, and the fault says so", async () => {
  const { path } = await ownerThat(oneVersion())
  const owner = await connectOwner(path, options)
  const send = { contact: "bob", text: "hi", wait: "queued", timeoutMs: 0 } as const
  const faults = await Promise.allSettled([owner?.call("send", send), owner?.call("status", {})])
  expect(
    faults.map((settled) => (settled.status === "rejected" ? (settled.reason as unknown) : undefined)),
  ).toMatchObject([
    {
      code: "unanswered",
      message: expect.stringContaining("not known whether the message was stored") as unknown,
    },
    { code: "unavailable", message: "process 7 is stopped" },
  ])
})

test("a request may take long while its owner answers pings", async () => {
  let answerSend: () => void = () => undefined
  let pings = 0
  const { path } = await ownerThat((request) => {
    if (request.id === "ping" && ++pings === 3) answerSend()
    return versionOnly(request)
  })
  const owner = await connectOwner(path, options)
  const slow = new Promise<string>((resolve) => (answerSend = () => resolve("the third ping was answered")))
  const send = owner?.call("send", { contact: "bob", text: "hi", wait: "read", timeoutMs: 1 })
  expect(await Promise.race([slow, send])).toBe("the third ping was answered")
  await owner?.close()
  await expect(send).rejects.toMatchObject({ code: "unanswered" })
})

test("a listener learns that its owner has become silent", async () => {
  const { path } = await ownerThat(oneVersion())
  const owner = await connectOwner(path, options)
  const event = await new Promise<Event>((resolve) => owner?.listen(resolve))
  expect(event).toMatchObject({
    kind: "connection",
    connection: { kind: "stopped", code: "unanswered", reason: "process 7 is stopped" },
  })
})
