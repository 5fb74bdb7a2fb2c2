import { CUT_OFF, Fault } from "../../src/errors.ts"
import type { Connect, ConnectionState, Transport, TransportEvents } from "../../src/transport/transport.ts"

/** What the broker may do to a frame before it is delivered: the copies that arrive, or none. */
export type Tamper = (topic: string, payload: Uint8Array) => readonly Uint8Array[]

const NO_TAMPERING: Tamper = (_topic, payload) => [payload]

type PublishedMessage = { readonly topic: string; readonly payload: Uint8Array }
/** As many messages as a client reads ahead. */
const AT_ONCE = 16

type ClientSession = {
  readonly topics: Set<string>
  readonly queue: PublishedMessage[]
  connection: FakeConnection | undefined
  busy: boolean
}

/**
 * A broker in memory that keeps the promises of MQTT for QoS 1: PUBACK after the message is in every queue, messages to
 * each reader in order and a few at a time, repeated from the first refused one on the next connection. On request it does
 * what a hostile broker does.
 */
export class FakeBroker {
  readonly #sessions = new Map<string, ClientSession>()
  readonly #connections = new Set<FakeConnection>()
  readonly seen: PublishedMessage[] = []
  tamper: Tamper = NO_TAMPERING
  /** Whether a message is refused, though the connection is up. */
  refuses: () => boolean = () => false
  /** The reason code of the PUBACK for a message, if it is not taken. */
  refusal: (topic: string, payload: Uint8Array) => number | undefined = () => undefined
  /** Whether the connection ends at a message, with a reason or (0) without. */
  cutsAt: (topic: string, payload: Uint8Array) => number | undefined = () => undefined
  /** How many messages ended the connection. */
  tried = 0
  /** The largest packet that is taken, as CONNACK says it. */
  maximumPacketSize: number | undefined
  /** Whether a subscription is refused. */
  refusesFilter: (topic: string) => boolean = () => false
  /** False for a network that swallows every packet. */
  answers = true
  /** So many messages wait for one client; it takes the rest, says nothing, and drops them. */
  keepsMax = Infinity
  #open = true
  #guests = 0
  #activity = 0

  readonly connect: Connect = (target, events) => {
    const { credential } = target
    const id = credential.kind === "guest" ? `guest-${this.#guests++}` : credential.deviceId
    const connection = new FakeConnection(this, id, events)
    this.#connections.add(connection)
    queueMicrotask(() => this.#accept(connection))
    return connection
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** Grows with every event here. */
  get activity(): number {
    return this.#activity
  }

  close(): void {
    this.#open = false
    for (const connection of this.#connections) connection.lost()
  }

  /** Clients that are not connected come back. */
  reopen(): void {
    this.#open = true
    for (const connection of this.#connections) if (!connection.isUp) this.#accept(connection)
  }

  /** The broker runs again. Clients find out when they next try. */
  run(): void {
    this.#open = true
  }

  /** The broker restarts empty, without its sessions and connections. */
  forgetAll(): void {
    this.#sessions.clear()
  }

  /** Silently loses all accepted messages. */
  loseQueued(): void {
    for (const { queue } of this.#sessions.values()) queue.length = 0
  }

  /** Delivers a message that none of our engines wrote. */
  inject(topic: string, payload: Uint8Array): void {
    for (const session of this.#sessions.values())
      if (session.topics.has(topic)) this.#put(session, { topic, payload })
  }

  publishToAll(message: PublishedMessage): void {
    this.seen.push(message)
    for (const copy of this.tamper(message.topic, message.payload)) this.inject(message.topic, copy)
  }

  session(id: string): ClientSession {
    const session = this.#sessions.get(id) ?? {
      topics: new Set(),
      queue: [],
      connection: undefined,
      busy: false,
    }
    this.#sessions.set(id, session)
    return session
  }

  remove(connection: FakeConnection): void {
    this.#connections.delete(connection)
    const session = this.session(connection.id)
    if (session.connection === connection) session.connection = undefined
  }

  /** The connection of this device breaks, and its process with it. */
  disconnect(id: string): void {
    for (const connection of [...this.#connections]) if (connection.id === id) void connection.close()
  }

  /** A connection that is down tries to connect now. */
  tryAgain(connection: FakeConnection): void {
    if (connection.isUp || !this.#connections.has(connection)) return
    if (this.#open) this.#accept(connection)
    else if (this.answers) connection.unreachable()
  }

  #accept(connection: FakeConnection): void {
    if (!this.#open || !this.#connections.has(connection)) return
    const sessionPresent = this.#sessions.has(connection.id)
    const session = this.session(connection.id)
    session.connection = connection
    connection.up(sessionPresent)
    void this.#deliver(session)
  }

  #put(session: ClientSession, message: PublishedMessage): void {
    this.#activity++
    if (session.queue.length >= this.keepsMax) return
    session.queue.push(message)
    void this.#deliver(session)
  }

  async #deliver(session: ClientSession): Promise<void> {
    if (session.busy) return
    session.busy = true
    await Promise.resolve()
    while (session.queue.length > 0 && session.connection?.isUp === true) {
      const { connection } = session
      const inFlight = session.queue.slice(0, AT_ONCE)
      this.#activity += inFlight.length
      const outcomes = await Promise.allSettled(inFlight.map((message) => connection.deliver(message)))
      const failed = outcomes.findIndex(({ status }) => status === "rejected")
      const taken =
        session.connection !== connection ? [] : inFlight.slice(0, failed === -1 ? inFlight.length : failed)
      for (const message of taken) if (session.queue[0] === message) session.queue.shift()
      if (failed !== -1) connection.lost()
    }
    session.busy = false
  }
}

class FakeConnection implements Transport {
  readonly id: string
  readonly #broker: FakeBroker
  readonly #events: TransportEvents
  /** Subscribed to again on every connection, as by the real connection. */
  readonly #topics = new Set<string>()
  isUp = false
  #closed = false
  #whenUp: (() => void)[] = []
  /** Ends the messages that the reader is processing when it disconnects. */
  readonly #delivering = new Set<() => void>()

  constructor(broker: FakeBroker, id: string, events: TransportEvents) {
    this.#broker = broker
    this.id = id
    this.#events = events
  }

  up(sessionPresent: boolean): void {
    this.isUp = true
    for (const topic of this.#topics) this.#broker.session(this.id).topics.add(topic)
    for (const go of this.#whenUp.splice(0)) go()
    const { maximumPacketSize } = this.#broker
    const limit = maximumPacketSize === undefined ? {} : { maximumPacketSize }
    this.#emit({ kind: "online", sessionPresent, mqttVersion: 5, ...limit })
  }

  lost(): void {
    if (!this.isUp) return
    this.isUp = false
    this.#emit({ kind: "offline", why: away() })
  }

  unreachable(): void {
    this.#emit({ kind: "offline", why: away() })
  }

  /** Rejects when the reader disconnects before it took the message. */
  async deliver({ topic, payload }: PublishedMessage): Promise<void> {
    let giveUp: () => void = () => undefined
    const disconnected = new Promise<never>((_resolve, reject) => (giveUp = () => reject(away())))
    this.#delivering.add(giveUp)
    try {
      await Promise.race([this.#events.onFrame(topic, payload), disconnected])
    } finally {
      this.#delivering.delete(giveUp)
    }
  }

  publish = async (topic: string, payload: Uint8Array): Promise<void> => {
    const wasUp = this.isUp
    await Promise.resolve()
    if (!this.isUp) throw wasUp ? cutOff(CUT_OFF) : away()
    if (this.#broker.refuses()) throw refused()
    const tooLarge = payload.length + 64 > (this.#broker.maximumPacketSize ?? Infinity) ? 149 : undefined
    const reason = tooLarge ?? this.#broker.refusal(topic, payload)
    if (reason !== undefined) throw refused(reason)
    const cut = this.#broker.cutsAt(topic, payload)
    if (cut !== undefined) {
      this.#broker.tried++
      this.lost()
      throw cutOff(cut === 0 ? CUT_OFF : cut)
    }
    this.#broker.publishToAll({ topic, payload: new Uint8Array(payload) })
    await Promise.resolve()
    // The connection may be lost between the message and its PUBACK.
    if (!this.#broker.isOpen) throw away()
  }

  subscribe = (topic: string): Promise<void> =>
    this.#whenOnline(() => {
      if (this.#broker.refusesFilter(topic)) throw new Fault("refused", "the broker does not grant it")
      this.#topics.add(topic)
      this.#broker.session(this.id).topics.add(topic)
    })

  unsubscribe = (topic: string): Promise<void> =>
    this.#whenOnline(() => {
      this.#topics.delete(topic)
      this.#broker.session(this.id).topics.delete(topic)
    })

  serverPins = (): readonly Uint8Array[] => []

  retry = (): void => queueMicrotask(() => this.#broker.tryAgain(this))

  close = (): Promise<void> => {
    this.#closed = true
    this.isUp = false
    this.#broker.remove(this)
    for (const giveUp of this.#delivering) giveUp()
    return Promise.resolve()
  }

  async #whenOnline(act: () => void): Promise<void> {
    if (!this.isUp) await new Promise<void>((resolve) => this.#whenUp.push(resolve))
    act()
  }

  #emit(state: ConnectionState): void {
    if (!this.#closed) this.#events.onState(state)
  }
}

function refused(reason?: number): Fault {
  const cause = reason === undefined ? undefined : withCode(reason)
  return new Fault("refused", "the broker did not take the message", undefined, cause)
}

function cutOff(code: string | number): Fault {
  return new Fault("unavailable", "the connection ended", undefined, withCode(code))
}

function withCode(code: string | number): Error {
  return Object.assign(new Error("from the broker"), { code })
}

function away(): Fault {
  return new Fault("unavailable", "the post office is closed")
}
