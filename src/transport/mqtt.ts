import { randomBytes, randomInt } from "node:crypto"

import { toBase64url } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { ID_BYTES } from "../wire/topics.ts"
import { retryDelay, type Pauses } from "../async/backoff.ts"
import { Connection } from "./connection.ts"
import { endedWithoutTls, failureOf, type Failure } from "./failures.ts"
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
import { inOrder, roundFailure, type NodeFailure } from "./nodes.ts"
import { pinOf } from "./pin.ts"
import { openSocket } from "./trust.ts"
import type { TlsCache } from "./trust.ts"
import { type Attempt, connectWithFallback } from "./version-fallback.ts"

/** A connection that lived this long was a good one: the next failure starts the backoff again. */
const STABLE_MS = 10_000
/** Where nothing is there, a minute is enough; where something is, it may hold at the next try [D-172]. */
const PAUSES = { first: 250, longest: 60_000 } as const
const PAUSES_AFTER_CUT = { ...PAUSES, longest: 4_000 } as const
/** Two programs with the same keys end each other's connections: ever more slowly [D-179]. */
const PAUSES_AFTER_TAKEOVER = { first: 4_000, longest: 300_000 } as const
/** A connection that lived so long had no rival. */
const UNRIVALLED_MS = 600_000
const JITTER_STEPS = 1_000

/**
 * A link over MQTT 5 or 3.1.1, and TLS 1.3 unless the target is without, that stays up until it is closed or permanently
 * refused. Throws a Fault `bug` for a target that would show a credential to an unproven broker, or a certificate
 * without TLS.
 */
export const connectMqtt: Connect = (target, events) => {
  const { trust, credential } = target
  if (trust.kind === "unproven" && credential.kind !== "guest") {
    throw new Fault("bug", "a credential was meant for a broker that has not proven itself")
  }
  if (trust.kind === "insecure" && credential.kind === "device") {
    throw new Fault("bug", "a certificate was meant for a connection without TLS")
  }
  return new MqttTransport(target, events)
}

/** A node of the broker, and what is proven of it: a session of one is worth nothing at another. */
type Node = { readonly address: BrokerAddress; readonly tlsCache: TlsCache }

/** How a round of the nodes ended, and whether that has been reported already. */
type Round = {
  readonly failure: Failure
  readonly after?: Node
  readonly isReported: boolean
  /** How long its last connection lived. */
  readonly livedMs: number
}

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
  #endPause: () => void = () => undefined
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

  readonly retry = (): void => this.#endPause()

  readonly close = async (): Promise<void> => {
    this.#end(new Fault("unavailable", "the link to the broker was closed"))
    await this.#running
  }

  /**
   * Rounds of the nodes. What a round means is reported when it is over, as one node that is down says nothing; the end
   * of a connection is reported at once. A pause follows, unless a good connection has ended and there are other nodes.
   */
  async #run(): Promise<void> {
    let [failed, takeovers, last] = [0, 0, undefined as Node | undefined]
    while (!this.#isEnded()) {
      const { failure, after, isReported, livedMs } = await this.#round(last)
      if (this.#isEnded()) return
      if (failure.permanent) {
        this.#stop(failure.fault)
        return
      }
      if (!isReported) this.#report(failure.fault)
      last = after
      failed = after === undefined ? failed + 1 : 1
      takeovers = (livedMs > UNRIVALLED_MS ? 0 : takeovers) + (failure.takenOver === true ? 1 : 0)
      if (failure.takenOver === true) await this.#pauseFor(takeovers, PAUSES_AFTER_TAKEOVER)
      else if (after === undefined || this.#nodes.length === 1)
        await this.#pauseFor(failed, failure.cut === true ? PAUSES_AFTER_CUT : PAUSES)
    }
  }

  #pauseFor(retry: number, pauses: Pauses): Promise<void> {
    return this.#pause(retryDelay(retry, randomInt(JITTER_STEPS) / JITTER_STEPS, pauses))
  }

  /** Until all nodes have failed, or a good connection has ended: `after` is its node. */
  async #round(last: Node | undefined): Promise<Round> {
    const failures: NodeFailure<Node>[] = []
    let [isReported, livedMs] = [false, 0]
    for (const node of inOrder(this.#nodes, last)) {
      const startedAt = performance.now()
      const failure = await this.#connectOnce(node)
      isReported = failure.opened && !failure.permanent
      if (this.#isEnded()) return { failure, isReported, livedMs }
      if (isReported) this.#report(failure.fault)
      livedMs = isReported ? performance.now() - startedAt : 0
      if (failure.takenOver === true) return { failure, isReported, livedMs }
      if (livedMs > STABLE_MS) return { failure, isReported, livedMs, after: node }
      failures.push({ node, ...failure })
    }
    const [first, ...others] = failures
    if (first === undefined) throw new Fault("bug", "a broker without an address")
    return { failure: roundFailure(this.#nodes, [first, ...others]), isReported, livedMs }
  }

  #report(why: Fault): void {
    this.#offlineWhy = why
    this.#events.onState({ kind: "offline", why })
  }

  async #connectOnce(node: Node): Promise<Failure & { readonly opened: boolean }> {
    const { address, tlsCache } = node
    try {
      const { error, opened } = await this.#tryVersions(node)
      const { trust, credential } = this.#target
      const isPlain = !opened && trust.kind === "insecure"
      return { ...failureOf(isPlain ? endedWithoutTls(error) : error, address, credential.kind), opened }
    } catch (error) {
      tlsCache.session = undefined
      return { ...failureOf(error, address), opened: false }
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
        onOpen: (opened, { sessionPresent, maximumPacketSize }) => {
          const { anchor } = tlsCache
          const hints = {
            mqttVersion,
            ...(anchor === undefined ? {} : { anchor }),
            ...(maximumPacketSize === undefined ? {} : { maximumPacketSize }),
          }
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
      this.#endPause = () => {
        clearTimeout(timer)
        resolve()
      }
      this.#interrupt = this.#endPause
    })
  }
}
