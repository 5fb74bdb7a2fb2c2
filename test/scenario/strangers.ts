import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { TLSSocket } from "node:tls"
import type { ServerCertificate } from "../../src/broker/certificates.ts"

/** What answers a connection in place of the broker. */
export type Stranger = (socket: Socket) => void

export const closesAtOnce: Stranger = (socket) => socket.destroy()
export const saysNothing: Stranger = (socket) => socket.resume()
export const captivePortal: Stranger = (socket) =>
  socket.once("data", () => socket.end("HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n"))
/** A server of TLS with this certificate, which answers the first packet with these bytes and ends. */
export function answersInTls({ certificate, key }: ServerCertificate, answer: Uint8Array): Stranger {
  return (socket) => {
    const tls = new TLSSocket(socket, { isServer: true, cert: certificate, key, ALPNProtocols: ["mqtt"] })
    tls.on("error", () => socket.destroy())
    tls.once("data", () => tls.end(answer))
  }
}

/** What listens at this port of the same machine, such as the broker or another one. */
export function forwardsTo(port: number): Stranger {
  return (socket) => {
    const other = connect(port, "127.0.0.1")
    other.on("error", () => socket.destroy())
    socket.once("close", () => other.destroy())
    other.once("close", () => socket.destroy())
    socket.pipe(other).pipe(socket)
  }
}

/** A port on which now the broker answers, now a stranger. */
export class SharedPort {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #answer: Stranger
  #tries = 0
  #tried: () => void = () => undefined

  private constructor(first: Stranger) {
    this.#answer = first
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on("error", () => socket.destroy())
      socket.once("close", () => this.#sockets.delete(socket))
      this.#tries++
      this.#answer(socket)
      this.#tried()
    })
  }

  static async open(first: Stranger): Promise<SharedPort> {
    const shared = new SharedPort(first)
    shared.#server.listen(0, "127.0.0.1")
    await once(shared.#server, "listening")
    return shared
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on this answers; connections of before are cut. */
  answerWith(next: Stranger): void {
    this.#answer = next
    this.#tries = 0
    for (const socket of this.#sockets) socket.destroy()
  }

  /** So many connections have come since `answerWith`. */
  async isTried(times: number): Promise<void> {
    while (this.#tries < times) await new Promise<void>((resolve) => (this.#tried = resolve))
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
