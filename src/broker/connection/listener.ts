import { once } from "node:events"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
  type TLSSocket,
} from "node:tls"
import { codeOf, Fault } from "../../errors.ts"
import type { ConnectionSlot, Limits, ConnectionLimiter } from "../limits/limits.ts"
import { addressBlock } from "../limits/rate-limiter.ts"
import type { HandshakeQueue } from "./handshake-queue.ts"
import { monotonic } from "../limits/monotonic.ts"

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
  readonly handshakes: HandshakeQueue
  /** Given each connection whose TLS handshake is over, and what to call when its client has shown who it is. */
  readonly onSecureConnection: (socket: TLSSocket, onAccepted: () => void) => void
  readonly onHandshakeFailed: () => void
}

/** A connection that was let in, by `endpointsOf`: the TLS socket does not say which socket it is on. */
type Slots = Map<string, ConnectionSlot>

/** One TLS server, on one address. */
export class Listener {
  readonly #server: Server
  readonly #tls: TlsServer
  readonly #listen: ListenAddress
  readonly #setup: ListenerSetup
  readonly #sockets = new Set<Socket>()
  readonly #slots: Slots = new Map()

  constructor(listen: ListenAddress, setup: ListenerSetup) {
    const { credentials, limits, onSecureConnection, onHandshakeFailed } = setup
    this.#listen = listen
    this.#setup = setup
    this.#tls = createTlsServer({
      ...contextOf(credentials),
      ALPNProtocols: [listen.webSocket === true ? "http/1.1" : "mqtt"],
      requestCert: true,
      // Guests have no certificate; one that does not verify is refused by CONNACK, which says more than a reset.
      rejectUnauthorized: false,
      handshakeTimeout: limits.connectTimeoutMs,
    })
    this.#tls.on("secureConnection", (socket) => {
      const slot = this.#slots.get(endpointsOf(socket))
      if (slot === undefined) socket.destroy()
      else onSecureConnection(socket, slot.accept)
    })
    this.#tls.on("tlsClientError", (_error, socket) => {
      onHandshakeFailed()
      // Node tells of a handshake that takes too long, and leaves the connection open.
      socket.destroy()
    })
    // Session tickets are written first; with Nagle's algorithm CONNACK would wait 40 ms behind them.
    this.#server = createServer({ noDelay: true }, (socket) => this.#admit(socket))
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
    this.#tls.setSecureContext(contextOf(credentials))
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise<void>((done) => this.#server.close(() => done()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #admit(socket: Socket): void {
    const address = socket.remoteAddress ?? ""
    const end = (): void => void socket.destroy()
    const slot = this.#setup.connectionLimiter.acquire(address, monotonic(), end)
    if (slot === undefined) {
      end()
      return
    }
    const endpoints = endpointsOf(socket)
    this.#sockets.add(socket)
    this.#slots.set(endpoints, slot)
    socket.once("close", () => {
      this.#sockets.delete(socket)
      this.#slots.delete(endpoints)
      slot.release()
    })
    this.#awaitHello(socket)
  }

  /** A client that says nothing costs no TLS state; one that does waits for its turn. */
  #awaitHello(socket: Socket): void {
    const { limits, handshakes, onHandshakeFailed } = this.#setup
    const timer = setTimeout(() => socket.destroy(), limits.connectTimeoutMs)
    const failed = (): void => {
      clearTimeout(timer)
      onHandshakeFailed()
    }
    socket.once("close", failed).once("error", ignore)
    socket.once("readable", () => {
      socket.off("close", failed)
      clearTimeout(timer)
      handshakes.add(addressBlock(socket.remoteAddress ?? ""), () => {
        if (!socket.destroyed) this.#tls.emit("connection", socket)
      })
    })
  }
}

/** A closed connection tells it by `close`. */
function ignore(): void {
  // nothing is left to do
}

function endpointsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress ?? ""} ${String(remotePort)} ${localAddress ?? ""}`
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
