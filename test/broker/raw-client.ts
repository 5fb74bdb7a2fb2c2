import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { connect, type TLSSocket } from "node:tls"
import type { Device } from "./broker-fixture.ts"
import { connectPacket, filtersPacket } from "./raw-packets.ts"

/** MQTT 3.1.1, table 2.1. */
const PACKET = { connack: 0x20, suback: 0x90 } as const

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
  await ask(socket, filtersPacket("subscribe", [`mc/1/i/${id}/+`]), PACKET.suback)
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
