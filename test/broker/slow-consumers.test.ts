import { once } from "node:events"
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from "node:net"
import { setImmediate } from "node:timers/promises"
import { connect as connectTls, createServer as createTlsServer } from "node:tls"
import { afterEach, describe, expect, test } from "vitest"
import { makeAuthority, makeServerCertificate } from "../../src/broker/certificates.ts"
import { SlowConsumers } from "../../src/broker/limits/slow-consumers.ts"

const MIB = 1024 * 1024

describe("a client that does not read", () => {
  const opened: { destroy: () => unknown }[] = []
  const slowConsumers = new SlowConsumers()

  afterEach(() => {
    for (const socket of opened.splice(0)) socket.destroy()
    slowConsumers.close()
  })

  async function listening(server: Server): Promise<number> {
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    opened.push({ destroy: () => server.close() })
    return (server.address() as AddressInfo).port
  }

  /** The broker's end of a TLS connection whose other end has not begun to read. */
  async function overTls(): Promise<{ ours: Socket; theirs: Socket }> {
    const { certificate: cert, key } = await makeServerCertificate(await makeAuthority(), ["localhost"])
    const server = createTlsServer({ cert, key })
    const port = await listening(server)
    const theirs = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }).pause()
    const [ours] = (await once(server, "secureConnection")) as [Socket]
    opened.push(ours, theirs)
    return { ours, theirs }
  }

  test("is disconnected when it took nothing for half a minute, and not before", async () => {
    const { ours } = await overTls()
    slowConsumers.watch(ours, ours, 0)
    for (let written = 0; written < 16 * MIB; written += 64 * 1024) ours.write(Buffer.alloc(64 * 1024))
    // Bytes that fit into the system's buffers count as taken.
    const taken = (): number => ours.bytesWritten - ours.writableLength
    for (let last = -1; taken() === 0 || taken() !== last;) {
      last = taken()
      for (let turn = 0; turn < 50; turn++) await setImmediate()
    }
    slowConsumers.sweep(1_000)
    slowConsumers.sweep(31_000)
    expect(ours.destroyed).toBe(false)
    slowConsumers.sweep(31_001)
    expect(ours.destroyed).toBe(true)
  })

  test("stays connected while it takes something, however little, and while nothing waits", async () => {
    const { ours, theirs } = await overTls()
    slowConsumers.watch(ours, ours, 0)
    slowConsumers.sweep(100_000)
    expect(ours.destroyed).toBe(false)
    const written = new Promise((done) => ours.write(Buffer.alloc(8 * MIB), done))
    ours.write(Buffer.alloc(8 * MIB))
    slowConsumers.sweep(100_000)
    theirs.resume()
    await written
    theirs.pause()
    slowConsumers.sweep(200_000)
    expect(ours.destroyed).toBe(false)
  })

  test("is disconnected first when too much waits for all clients together", async () => {
    const server = createServer()
    const port = await listening(server)
    const shared = Buffer.alloc(10 * MIB)
    const ends: Socket[] = []
    for (const pieces of [1, 9, 5]) {
      const theirs = connectTcp(port, "127.0.0.1").pause()
      const [ours] = (await once(server, "connection")) as [Socket]
      opened.push(ours, theirs)
      ends.push(ours)
      slowConsumers.watch(ours, ours, 0)
      for (let piece = 0; piece < pieces; piece++) ours.write(shared)
    }
    slowConsumers.sweep(1)
    expect(ends.map(({ destroyed }) => destroyed)).toEqual([false, true, false])
  })
})
