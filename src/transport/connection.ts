import type { Socket } from "node:net"

import type { IPublishPacket } from "mqtt"

import { codeOf, CUT_OFF, Fault } from "../errors.ts"
import { NO_ANSWER, TOO_LARGE } from "./failures.ts"
import { HalfOpenWatch } from "./half-open-watch.ts"
import { type Connack, type MqttClient, openMqttClient, SESSION_EXPIRY_S, subscribe } from "./mqtt-client.ts"
import { PACKET_BYTES_MAX, packetLimit } from "./packet-limit.ts"
import { registrationAnswerTopic, SESSION_TAKEN_OVER } from "../wire/topics.ts"
import type { Subscriber } from "./subscriptions.ts"
import type { Credential, MqttVersion, TransportEvents } from "./transport.ts"
import { IN_FLIGHT_MAX, Window } from "./window.ts"

/** A broker that does not end its side of the connection is not waited for. */
const DISCONNECT_TIMEOUT_MS = 500
/**
 * So many frames may be under way to the disk, where they share a commit; none is acknowledged before it is there. A
 * session knows at least as many tags ahead.
 */
const READ_AHEAD = 16
/** Packet too large (MQTT 5 section 2.4). */
const PACKET_TOO_LARGE = 149
/** PUBLISH without properties: first byte, length, lengths of topic and properties, packet identifier (section 3.3). */
const PUBLISH_OVERHEAD = 10
/** PUBACK without properties, in MQTT 3.1.1 and 5 alike (section 3.4). */
const PUBACK = [0x40, 2] as const

export type ConnectionSetup = {
  readonly socket: Socket
  readonly clientId: string
  readonly credential: Credential
  /** The broker keeps nothing of this connection when it ends. */
  readonly clean: boolean
  readonly mqttVersion: MqttVersion
  readonly onFrame: TransportEvents["onFrame"]
  readonly onOpen: (connection: Connection, opened: Opened) => void
  /** Once, whether it ever opened or not; the error is what `failureOf` reads. */
  readonly onEnd: (error: unknown, opened: boolean) => void
}

/** What CONNACK says. */
type Opened = { readonly sessionPresent: boolean; readonly maximumPacketSize: number | undefined }

/** One MQTT connection over a socket that is already proven. */
export class Connection implements Subscriber {
  readonly #client: MqttClient
  readonly #setup: ConnectionSetup
  #window: Window | undefined
  #error: unknown
  /** The last frame that was read: when it settles, all before it have. */
  #lastFrame: Promise<void> = Promise.resolve()
  #uncommitted = 0
  #subscribing = 0
  readonly #watch: HalfOpenWatch
  #closing = false

  constructor(setup: ConnectionSetup) {
    this.#setup = setup
    const { socket } = setup
    const isWithinLimit = packetLimit(PACKET_BYTES_MAX)
    this.#watch = new HalfOpenWatch({
      isWaiting: () => this.#isWaiting(),
      bytesWritten: () => socket.bytesWritten,
      ping: () => this.#client.sendPing(),
      onDead: () => socket.destroy(errorWithCode("no answer to what was sent", NO_ANSWER)),
      after: afterReading,
    })
    socket.on("data", (chunk: Buffer) => {
      this.#watch.onBytes()
      if (!isWithinLimit(chunk))
        socket.destroy(errorWithCode("a packet over the limit was announced", TOO_LARGE))
    })
    const sessionExpiryInterval = setup.clean ? 0 : SESSION_EXPIRY_S
    this.#client = openMqttClient({
      ...setup,
      properties: { sessionExpiryInterval, receiveMaximum: READ_AHEAD },
    })
    this.#client.on("packetreceive", (packet) => {
      if (packet.cmd === "publish") suppressPuback(packet)
    })
    this.#client.handleMessage = (packet, done) => this.#receive(packet, done)
    this.#client.on("error", (error) => (this.#error ??= error))
    this.#client.on(
      "disconnect",
      ({ reasonCode }) => (this.#error ??= errorWithCode("disconnected by the broker", reasonCode)),
    )
    this.#client.on("connect", (connack) => this.#opened(connack))
    this.#client.once("close", () => this.#ended())
  }

  publish(topic: string, payload: Uint8Array): Promise<void> {
    if (this.#window === undefined)
      return Promise.reject(new Fault("unavailable", "the broker is not connected"))
    this.#watch.start()
    return this.#window.publish(topic, payload)
  }

  subscribe(topics: readonly string[], onAnswer: (granted: readonly number[] | undefined) => void): void {
    this.#subscribing++
    this.#watch.start()
    subscribe(this.#client, topics, (granted) => {
      this.#subscribing--
      onAnswer(granted)
    })
  }

  unsubscribe(topics: readonly string[], onAnswer: () => void): void {
    this.#client.unsubscribe([...topics], () => onAnswer())
  }

  /** Takes no new frame, disconnects when the current one is committed and acknowledged, and waits for nothing else. */
  close(why: Fault): void {
    this.#closing = true
    this.#window?.end(why)
    void this.#lastFrame.then(() => this.#disconnect())
  }

  /** While frames wait for the disk nothing is read, and silence says nothing. */
  #isWaiting(): boolean {
    if (this.#uncommitted >= READ_AHEAD) return false
    return this.#subscribing > 0 || this.#window?.isWaiting() === true
  }

  #disconnect(): void {
    const idle = this.#window !== undefined && Object.keys(this.#client.outgoing).length === 0
    this.#client.end(!idle)
    setTimeout(() => this.#setup.socket.destroy(), DISCONNECT_TIMEOUT_MS).unref()
  }

  #opened(connack: Connack): void {
    const { receiveMaximum, maximumPacketSize } = connack.properties ?? {}
    const width = Math.min(IN_FLIGHT_MAX, receiveMaximum ?? IN_FLIGHT_MAX)
    this.#window = new Window((topic, payload, done) => {
      if (packetBytes(topic, payload) > (maximumPacketSize ?? Infinity)) {
        done(refusalOf(errorWithCode("larger than the broker takes", PACKET_TOO_LARGE)))
        return
      }
      this.#client.publish(topic, bufferOf(payload), { qos: 1 }, (error) => done(refusalOf(error)))
    }, width)
    this.#setup.onOpen(this, { sessionPresent: connack.sessionPresent, maximumPacketSize })
  }

  /** Reads on at once, or where many frames wait for the disk when one of them is there. */
  #receive({ topic, payload, messageId }: IPublishPacket, done: () => void): void {
    if (this.#closing) return
    if (this.#isTakenOver(topic, payload)) {
      this.#error ??= errorWithCode("another connection took over the session", SESSION_TAKEN_OVER)
      done()
      return
    }
    this.#uncommitted++
    const committed = this.#setup.onFrame(topic, Buffer.from(payload))
    const before = this.#lastFrame
    const mayReadOn = this.#uncommitted < READ_AHEAD
    this.#lastFrame = this.#acknowledge(before, committed, messageId).then(() => {
      this.#uncommitted--
      if (!mayReadOn) done()
    })
    if (mayReadOn) done()
  }

  /** Only the broker and its registrar may publish there [W-12]. */
  #isTakenOver(topic: string, payload: Uint8Array | string): boolean {
    const { clientId } = this.#setup
    return (
      payload.length === 1 && payload[0] === SESSION_TAKEN_OVER && topic === registrationAnswerTopic(clientId)
    )
  }

  /** In the order in which they came (MQTT-4.6.0-2). After one that failed none is acknowledged any more. */
  async #acknowledge(
    before: Promise<void>,
    committed: Promise<void>,
    messageId: number | undefined,
  ): Promise<void> {
    try {
      await committed
    } catch (error) {
      this.#error ??= error
      this.#setup.socket.destroy()
    }
    await before
    const { socket } = this.#setup
    if (messageId === undefined || !socket.writable) return
    socket.write(Uint8Array.of(...PUBACK, messageId >> 8, messageId & 0xff))
  }

  /** A frame still being committed comes first: the next connection may bring it again. */
  #ended(): void {
    this.#watch.stop()
    const opened = this.#window !== undefined
    const [why, cause] = ["the connection to the broker ended before it acknowledged", cutOff(this.#error)]
    this.#window?.end(new Fault("unavailable", why, undefined, cause))
    void this.#lastFrame.then(() => this.#setup.onEnd(this.#error, opened))
  }
}

/** mqtt.js reads on only after PUBACK. A packet of QoS 0 has none: we send it ourselves, when the frame is on disk. */
function suppressPuback(packet: IPublishPacket): void {
  packet.qos = 0
}

/** Of a message that was under way: what the broker said of the end, if it said something. */
function cutOff(error: unknown): Error {
  const code = codeOf(error)
  return errorWithCode("the connection ended", typeof code === "number" ? code : CUT_OFF)
}

function packetBytes(topic: string, payload: Uint8Array): number {
  return PUBLISH_OVERHEAD + Buffer.byteLength(topic) + payload.length
}

/** A PUBACK of MQTT 5 can refuse; the publisher decides whether to try again. */
function refusalOf(error: unknown): Fault | undefined {
  if (!(error instanceof Error)) return undefined
  return new Fault("refused", "the broker did not take the message", undefined, error)
}

/** What came while this process itself did not run is read first. */
function afterReading(ms: number, run: () => void): () => void {
  const timer = setTimeout(() => setImmediate(run), ms)
  return () => clearTimeout(timer)
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function errorWithCode(text: string, code: string | number | undefined): Error {
  return Object.assign(new Error(text), { code: code ?? NO_ANSWER })
}
