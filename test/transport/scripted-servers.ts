import { once } from "node:events"
import { createServer as createPlainServer, type AddressInfo, type Server } from "node:net"
import { createServer, type TlsOptions, type TLSSocket } from "node:tls"

/** What a server knows of a client after the TLS handshake. */
export type ConnectedClient = {
  readonly name: string | undefined
  readonly resumed: boolean
  readonly socket: TLSSocket
}

/** A scripted server. */
export type ScriptedServer = {
  readonly port: number
  readonly clients: ConnectedClient[]
  /** Connections so far, open or not. */
  readonly connectionCount: () => number
  readonly close: () => Promise<void>
}

/** Answers each CONNECT with what `answer` gives for its protocol level, or closes the connection. */
export async function startScriptedServer(
  keys: TlsOptions,
  answer: (level: number, socket: TLSSocket) => Buffer | undefined,
): Promise<ScriptedServer> {
  const clients: ConnectedClient[] = []
  const sockets: TLSSocket[] = []
  const options: TlsOptions = {
    minVersion: "TLSv1.3",
    ALPNProtocols: ["mqtt"],
    requestCert: true,
    rejectUnauthorized: false,
    ...keys,
  }
  const server = createServer(options, (socket) => {
    const { subject } = socket.getPeerCertificate() as { subject?: { CN: string } }
    clients.push({ name: subject?.CN, resumed: socket.isSessionReused(), socket })
    sockets.push(socket)
    socket.on("error", () => socket.destroy())
    socket.once("data", (connect: Buffer) => {
      const reply = answer(connect[LEVEL_AT] ?? 0, socket)
      if (reply === undefined) socket.destroy()
      else socket.write(reply)
    })
  })
  let connectionCount = 0
  server.on("connection", () => (connectionCount += 1))
  return { clients, connectionCount: () => connectionCount, ...(await listening(server, sockets)) }
}

/** CONNECT: fixed header 2, length 2, "MQTT" 4, then the protocol level. */
const LEVEL_AT = 8
export const CONNACK = (code: number) => Buffer.from([0x20, 0x02, 0x00, code])

/** A server that does not speak TLS. */
export async function plainServer(): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const server = createPlainServer((socket) => {
    socket.on("error", () => socket.destroy())
    socket.on("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))
  })
  return listening(server, [])
}

/** A server that accepts connections and never sends a byte. */
export async function silentServer(): Promise<{
  readonly port: number
  readonly close: () => Promise<void>
}> {
  const open: { destroy: () => void }[] = []
  const server = createPlainServer((socket) => {
    socket.on("error", () => socket.destroy())
    open.push(socket)
  })
  return listening(server, open)
}

async function listening(server: Server, open: readonly { destroy: () => void }[]) {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
