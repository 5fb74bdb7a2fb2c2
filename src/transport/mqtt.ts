import { randomBytes, randomInt } from "node:crypto"

import { toBase64url } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { ID_BYTES } from "../wire/topics.ts"
import { retryDelay } from "./backoff.ts"
import { Connection } from "./connection.ts"
import { failureOf, type Failure } from "./failures.ts"
import { Subscriptions } from "./subscriptions.ts"
import type {
  BrokerAddress,
  Connect,
  ConnectionState,
  ConnectTarget,
  MqttVersion,
  Transport,
  TransportEvents,
} from "./transport.ts"
import { pinOf } from "./pin.ts"
import { openSocket } from "./trust.ts"
import type { TlsCache } from "./trust.ts"
import { type Attempt, connectWithFallback } from "./version-fallback.ts"

/** A connection that lived this long was a good one: the next failure starts the backoff again. */
const STABLE_MS = 10_000
const JITTER_STEPS = 1_000

/**
 * A link over MQTT 5 or 3.1.1 and TLS 1.3 that stays up until it is closed or permanently refused. Throws a Fault
 * `bug` for a target that would show a credential to an unproven broker.
 */
export const connectMqtt: Connect = (target, events) => {
  if (target.trust.kind === "unproven" && target.credential.kind !== "guest") {
    throw new Fault("bug", "a credential was meant for a broker that has not proven itself")
  }
  return new MqttTransport(target, events)
}

/** A node of the broker, and what is proven of it: a session of one is worth nothing at another. */
type Node = { readonly address: BrokerAddress; readonly tlsCache: TlsCache }

/** How one connection ended. */
type ConnectionEnd = Required<Attempt>

class MqttTransport implements Transport {
  readonly #target: ConnectTarget
  readonly #events: TransportEvents
  readonly #clientId: string
  readonly #subscriptions = new Subscriptions()
  readonly #nodes: readonly Node[]
  readonly #closing = new AbortController()
  readonly #running: Promise<void>
  /** Ends what the loop is waiting for. */
  #interrupt: () => void = () => undefined
  #mqttVersion: MqttVersion
  #connection: Connection | undefined
  #serverChain: readonly Buffer[] = []
  #offlineWhy = new Fault("unavailable", "the broker is not connected yet")

  constructor(target: ConnectTarget, events: TransportEvents) {
    this.#target = target
    this.#events = events
    this.#mqttVersion = target.mqttVersion ?? 5
    const { credential, address, others = [] } = target
    this.#nodes = [address, ...others].map((at) => ({
      address: at,
      tlsCache: { anchor: undefined, session: undefined },
    }))
    this.#clientId = credential.kind === "guest" ? toBase64url(randomBytes(ID_BYTES)) : credential.deviceId
    this.#running = this.#run()
  }

  readonly publish = (topic: string, payload: Uint8Array): Promise<void> =>
    this.#connection === undefined
      ? Promise.reject(this.#offlineWhy)
      : this.#connection.publish(topic, payload)

  readonly subscribe = (topic: string): Promise<void> =>
    this.#isEnded() ? Promise.reject(this.#offlineWhy) : this.#subscriptions.add(topic)

  readonly unsubscribe = (topic: string): Promise<void> => this.#subscriptions.remove(topic)

  readonly serverPins = (): readonly Uint8Array[] => this.#serverChain.map(pinOf)

  readonly close = async (): Promise<void> => {
    this.#end(new Fault("unavailable", "the link to the broker was closed"))
    await this.#running
  }

  /** One node after the other; a pause when all have failed in a row, the end when all have refused for good. */
  async #run(): Promise<void> {
    const { length } = this.#nodes
    let [failed, refused] = [0, 0]
    for (const node of roundRobin(this.#nodes)) {
      const startedAt = performance.now()
      const failure = await this.#connectOnce(node)
      if (this.#isEnded()) return
      failed = performance.now() - startedAt > STABLE_MS ? 1 : failed + 1
      refused = failure.permanent ? refused + 1 : 0
      if (refused === length) {
        this.#stop(failure.fault)
        return
      }
      this.#offlineWhy = failure.fault
      this.#events.onState({ kind: "offline", why: failure.fault })
      if (failed % length !== 0) continue
      await this.#pause(retryDelay(failed / length, randomInt(JITTER_STEPS) / JITTER_STEPS))
      if (this.#isEnded()) return
    }
  }

  async #connectOnce(node: Node): Promise<Failure> {
    const { address, tlsCache } = node
    try {
      const end = await this.#tryVersions(node)
      return failureOf(end.error, address, this.#target.credential.kind)
    } catch (error) {
      tlsCache.session = undefined
      return failureOf(error, address)
    }
  }

  async #tryVersions(node: Node): Promise<ConnectionEnd> {
    const { attempt, version } = await connectWithFallback(
      this.#mqttVersion,
      (mqttVersion) => this.#runConnection(node, mqttVersion),
      () => this.#isEnded(),
    )
    this.#mqttVersion = version
    return attempt
  }

  async #runConnection({ address, tlsCache }: Node, mqttVersion: MqttVersion): Promise<ConnectionEnd> {
    const { socket, chain } = await openSocket({ ...this.#target, address }, tlsCache, this.#closing.signal)
    if (chain.length > 0) this.#serverChain = chain
    return new Promise((resolve) => {
      const connection = new Connection({
        socket,
        clientId: this.#clientId,
        credential: this.#target.credential,
        clean: this.#target.clean ?? this.#target.credential.kind === "guest",
        mqttVersion,
        onFrame: this.#events.onFrame,
        onOpen: (opened, sessionPresent) => {
          const { anchor } = tlsCache
          const hints = { mqttVersion, ...(anchor === undefined ? {} : { anchor }) }
          this.#opened(opened, { kind: "online", sessionPresent, ...hints })
        },
        onEnd: (error, opened) => {
          this.#subscriptions.pause()
          this.#connection = undefined
          resolve({ error, opened })
        },
      })
      this.#interrupt = () => connection.close(this.#offlineWhy)
    })
  }

  #opened(connection: Connection, state: ConnectionState): void {
    this.#connection = connection
    this.#subscriptions.resume(connection)
    this.#events.onState(state)
  }

  #stop(why: Fault): void {
    this.#end(why)
    this.#events.onState({ kind: "stopped", why })
  }

  #end(why: Fault): void {
    this.#offlineWhy = why
    this.#subscriptions.end(why)
    this.#closing.abort()
    this.#interrupt()
  }

  #isEnded(): boolean {
    return this.#closing.signal.aborted
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#interrupt = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** All of them, over and over. */
function* roundRobin(nodes: readonly Node[]): Generator<Node> {
  for (;;) yield* nodes
}
