import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { connect, type TLSSocket } from "node:tls"
import type { Device } from "./broker-fixture.ts"

/** MQTT 3.1.1, table 2.1, with the flags that each type must have. */
const PACKET = { connect: 0x10, connack: 0x20, publish: 0x30, subscribe: 0x82, suback: 0x90 } as const
const KEEPALIVE_S = 600

export type RawClient = {
  readonly socket: TLSSocket
  readonly received: () => number
  readonly firstBytes: () => Promise<void>
}

/** A thousand of these fit into a test: a TLS socket that is connected and subscribed to its own inbox at QoS 0. */
async function openRawClient(at: { port: number; ca: string }, device: Device): Promise<RawClient> {
  const { certificate: cert, key, id } = device
  const { port, ca } = at
  const socket = connect({ host: "127.0.0.1", port, ca, cert, key, ALPNProtocols: ["mqtt"] }).setNoDelay()
  await once(socket, "secureConnect")
  await ask(socket, connectPacket(id), PACKET.connack)
  await ask(socket, subscribePacket(`mc/1/i/${id}/+`), PACKET.suback)
  let received = 0
  socket.on("data", (chunk: Buffer) => (received += chunk.length))
  socket.on("error", () => undefined)
  return {
    socket,
    received: () => received,
    firstBytes: async () => {
      while (received === 0) await once(socket, "data")
    },
  }
}

async function ask(socket: TLSSocket, packet: Buffer, answer: number): Promise<void> {
  socket.write(packet)
  const [bytes] = (await once(socket, "data")) as [Buffer]
  const refusal = bytes.at(-1)
  if (bytes[0] !== answer || refusal !== 0) throw new Error(`the broker answered ${bytes.toString("hex")}`)
}

function connectPacket(clientId: string): Buffer {
  const keepalive = [KEEPALIVE_S >> 8, KEEPALIVE_S & 255]
  // Level 4, clean session.
  return packet(PACKET.connect, text("MQTT"), Buffer.from([4, 2, ...keepalive]), text(clientId))
}

function subscribePacket(filter: string): Buffer {
  return packet(PACKET.subscribe, Buffer.from([0, 1]), text(filter), Buffer.from([0]))
}

function packet(first: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  if (body.length > 127) throw new Error("longer than one byte of length says")
  return Buffer.concat([Buffer.from([first, body.length]), body])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])
}

/** Memory of a process that its machine cannot use for anything else, in bytes (proc(5), VmRSS). */
export async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, "utf8")
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

/** `count` clients of new devices, fifty at a time. */
export async function openMany(
  at: { port: number; ca: string },
  devices: readonly Device[],
): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (let first = 0; first < devices.length; first += 50) {
    const batch = devices.slice(first, first + 50)
    clients.push(...(await Promise.all(batch.map((device) => openRawClient(at, device)))))
  }
  return clients
}
