import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { createServer, type Server, type TLSSocket } from "node:tls"
import type { IConnectPacket, IPublishPacket, ISubscribePacket, Packet, PacketCmd } from "mqtt-packet"

import { makeServerCertificate, type Authority } from "../../src/broker/certificates.ts"
import { packetsOf, type PacketStream } from "./packets.ts"

/** MQTT 3.1.1; a client that asks for 5 is told that it is not supported. */
const VERSION = 4
const WRONG_VERSION = 1
/** A packet id is not 0. */
const IDS = 65_535

export type PublishedMessage = { readonly topic: string; readonly payload: Buffer }

/** What this broker does differently from an honest one. What a script leaves out is done honestly. */
export type Script = {
  /** Whether CONNACK reports a kept session. */
  readonly reportsPresent?: (isPresent: boolean) => boolean
  /** What is sent to a client that has just subscribed, before what waits for it. */
  readonly replays?: (seen: readonly PublishedMessage[]) => readonly PublishedMessage[]
  /** The copies of a message that go into its readers' queues. */
  readonly enqueues?: (message: PublishedMessage) => readonly PublishedMessage[]
  /** The packet ids that are acknowledged. */
  readonly acknowledges?: (messageId: number) => readonly number[]
  /** If true, the connection ends at a packet of this kind, and the packet is lost. */
  readonly closesAt?: (kind: PacketCmd) => boolean
}

type Session = {
  readonly topics: Set<string>
  readonly queue: PublishedMessage[]
  /** What was sent and not acknowledged, by packet id. */
  readonly sent: Map<number, PublishedMessage>
  stream: PacketStream | undefined
}

/** A small dishonest broker that follows a script. */
export class ScriptedBroker {
  script: Script = {}
  /** All messages ever published. */
  readonly seen: PublishedMessage[] = []
  readonly #sessions = new Map<string, Session>()
  readonly #streams = new Set<PacketStream>()
  readonly #server: Server
  #packets = 0

  private constructor(server: Server) {
    this.#server = server
    server.on("tlsClientError", (_error, socket) => socket.destroy())
    server.on("secureConnection", (socket) => this.#serve(socket))
  }

  static async open(authority: Authority): Promise<ScriptedBroker> {
    const own = await makeServerCertificate(authority, ["localhost", "127.0.0.1"])
    const server = createServer({
      cert: `${own.certificate}\n${authority.caCertificate}`,
      key: own.key,
      minVersion: "TLSv1.3",
      ALPNProtocols: ["mqtt"],
      noDelay: true,
    })
    const broker = new ScriptedBroker(server)
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    return broker
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Drops sessions, queues and subscriptions, and disconnects every client. */
  forgetAll(): void {
    this.#sessions.clear()
    this.hangUp()
  }

  hangUp(): void {
    for (const { socket } of this.#streams) socket.destroy()
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.hangUp()
    await closed
  }

  #serve(socket: TLSSocket): void {
    let session: Session | undefined
    const stream = packetsOf(socket, (packet) => {
      if (this.script.closesAt?.(packet.cmd) === true) socket.destroy()
      else if (packet.cmd === "connect") session = this.#onConnect(stream, packet)
      else if (session !== undefined) this.#onPacket(session, stream, packet)
    })
    this.#streams.add(stream)
    socket.once("close", () => {
      this.#streams.delete(stream)
      if (session?.stream === stream) session.stream = undefined
    })
  }

  #onConnect(stream: PacketStream, { clientId, protocolVersion }: IConnectPacket): Session | undefined {
    stream.version = VERSION
    if (protocolVersion !== VERSION) {
      stream.send({ cmd: "connack", returnCode: WRONG_VERSION, sessionPresent: false })
      stream.socket.end()
      return undefined
    }
    const known = this.#sessions.get(clientId)
    const session: Session = known ?? { topics: new Set(), queue: [], sent: new Map(), stream: undefined }
    this.#sessions.set(clientId, session)
    session.stream?.socket.destroy()
    session.stream = stream
    const sessionPresent = this.script.reportsPresent?.(known !== undefined) ?? known !== undefined
    stream.send({ cmd: "connack", returnCode: 0, sessionPresent })
    session.queue.unshift(...session.sent.values())
    session.sent.clear()
    this.#deliver(session)
    return session
  }

  #onPacket(session: Session, stream: PacketStream, packet: Packet): void {
    const messageId = packet.messageId ?? 0
    if (packet.cmd === "publish") this.#onPublish(stream, packet)
    else if (packet.cmd === "puback") session.sent.delete(messageId)
    else if (packet.cmd === "subscribe") this.#subscribe(session, stream, packet)
    else if (packet.cmd === "unsubscribe") {
      for (const topic of packet.unsubscriptions) session.topics.delete(topic)
      stream.send({ cmd: "unsuback", messageId, granted: [] })
    } else if (packet.cmd === "pingreq") stream.send({ cmd: "pingresp" })
  }

  #subscribe(session: Session, stream: PacketStream, packet: ISubscribePacket): void {
    for (const { topic } of packet.subscriptions) session.topics.add(topic)
    const granted = packet.subscriptions.map(() => 1)
    stream.send({ cmd: "suback", messageId: packet.messageId ?? 0, granted })
    const replayed = this.script.replays?.(this.seen) ?? []
    session.queue.push(...replayed.filter(({ topic }) => session.topics.has(topic)))
    this.#deliver(session)
  }

  #onPublish(stream: PacketStream, { topic, payload, messageId = 0 }: IPublishPacket): void {
    const message: PublishedMessage = { topic, payload: Buffer.from(payload as Buffer) }
    this.seen.push(message)
    for (const kept of this.script.enqueues?.(message) ?? [message]) {
      for (const session of this.#sessions.values()) {
        if (session.topics.has(kept.topic)) session.queue.push(kept)
      }
    }
    for (const id of this.script.acknowledges?.(messageId) ?? [messageId]) {
      stream.send({ cmd: "puback", messageId: id })
    }
    for (const session of this.#sessions.values()) this.#deliver(session)
  }

  #deliver(session: Session): void {
    const { stream, queue, sent } = session
    if (stream === undefined) return
    for (const message of queue.splice(0)) {
      const messageId = (this.#packets++ % IDS) + 1
      sent.set(messageId, message)
      stream.send({ cmd: "publish", ...message, messageId, qos: 1, dup: false, retain: false })
    }
  }
}
