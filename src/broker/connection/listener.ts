import { once } from "node:events"
import type { AddressInfo, Socket } from "node:net"
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls"
import { codeOf, Fault } from "../../errors.ts"
import type { Limits, ConnectionLimiter } from "../limits/limits.ts"

export type ListenAddress = {
  readonly host: string
  readonly port: number
  /** True for MQTT over WebSocket (wss). */
  readonly webSocket?: boolean
}

/** What the other side is shown, and whom we believe. PEM. */
export type TlsCredentials = {
  readonly certificate: string
  readonly key: string
  /** The server's authority, shown with its certificate so that people can pin it. */
  readonly ca: string
  /** A client with a certificate of this authority is the device that it names. */
  readonly clientCa: string
}

export type ListenerSetup = {
  readonly credentials: TlsCredentials
  readonly limits: Limits
  readonly connectionLimiter: ConnectionLimiter
  /** Given each connection whose TLS handshake is over. */
  readonly onSecureConnection: (socket: TLSSocket) => void
  readonly onHandshakeFailed: () => void
}

/** One TLS server, on one address. */
export class Listener {
  readonly #server: Server
  readonly #listen: ListenAddress
  readonly #sockets = new Set<Socket>()

  constructor(listen: ListenAddress, setup: ListenerSetup) {
    const { credentials, limits, connectionLimiter, onSecureConnection, onHandshakeFailed } = setup
    this.#listen = listen
    this.#server = createServer({
      ...contextOf(credentials),
      ALPNProtocols: [listen.webSocket === true ? "http/1.1" : "mqtt"],
      requestCert: true,
      // Guests have no certificate; one that does not verify is refused by CONNACK, which says more than a reset.
      rejectUnauthorized: false,
      handshakeTimeout: limits.connectTimeoutMs,
      // Session tickets are written first; with Nagle's algorithm CONNACK would wait 40 ms behind them.
      noDelay: true,
    })
    this.#server.on("connection", (socket: Socket) => this.#count(socket, connectionLimiter))
    this.#server.on("secureConnection", onSecureConnection)
    this.#server.on("tlsClientError", (_error, socket) => {
      onHandshakeFailed()
      // Node tells of a handshake that takes too long, and leaves the connection open.
      socket.destroy()
    })
  }

  /** Resolves with the port. Fault `unavailable` if the address is taken or not ours. */
  async bind(): Promise<number> {
    const { host, port } = this.#listen
    this.#server.listen({ host, port })
    try {
      await once(this.#server, "listening")
    } catch (cause) {
      const message = `cannot listen on ${host} port ${port}: ${reason(cause)}`
      throw new Fault("unavailable", message, "mqttchat broker --port 0", cause)
    }
    return boundPort(this.#server.address())
  }

  /** New connections see this; the open ones go on, and none of before is resumed. */
  setCredentials(credentials: TlsCredentials): void {
    this.#server.setSecureContext(contextOf(credentials))
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise<void>((done) => this.#server.close(() => done()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #count(socket: Socket, connectionLimiter: ConnectionLimiter): void {
    const address = socket.remoteAddress ?? ""
    if (!connectionLimiter.acquire(address, Date.now())) {
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    socket.once("close", () => {
      this.#sockets.delete(socket)
      connectionLimiter.release(address)
    })
  }
}

function contextOf({ certificate, key, ca, clientCa }: TlsCredentials): SecureContextOptions {
  return { cert: `${certificate}\n${ca}`, key, ca: clientCa, minVersion: "TLSv1.3" }
}

function boundPort(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0
}

function reason(cause: unknown): string {
  const code = codeOf(cause)
  if (code === "EADDRINUSE") return "another program listens there"
  if (code === "EADDRNOTAVAIL") return "this machine has no such address"
  if (code === "EACCES") return "not permitted"
  return String(code ?? cause)
}
