import { endedWithoutTls, failureOf, REFUSED_FROM, type Failure } from "../../transport/failures.ts"
import {
  type ClientSetup,
  CONNACK_TIMEOUT_MS,
  type Connack,
  type MqttClient,
  openMqttClient,
  SESSION_EXPIRY_S,
  subscribe,
} from "../../transport/mqtt-client.ts"
import type { ConnectTarget, MqttVersion } from "../../transport/transport.ts"
import { openSocket } from "../../transport/trust.ts"
import type { TlsCache } from "../../transport/trust.ts"
import { connectWithFallback } from "../../transport/version-fallback.ts"

/** An answer to any other packet may take as long as the first. */
const ANSWER_MS = CONNACK_TIMEOUT_MS
/** Sessions of the doctor's own that a killed doctor leaves behind go away by themselves. */
const OWN_SESSION_S = 3600
/** All that wait in a profile's queue may come before what the doctor sent: they are not acknowledged. */
const UNACKNOWLEDGED_MAX = 65_535

export type Frame = { readonly topic: string; readonly payload: Uint8Array }

export type ConnectOptions = {
  readonly clientId: string
  /** `kept`: the broker is to keep the session, with what it has for it. */
  readonly session: "clean" | "kept"
  readonly will?: Frame
  /** Frames for which it says no are not acknowledged, so that the broker keeps them. All are, without. */
  readonly acknowledges?: (frame: Frame) => boolean
}

export type ConnectResult =
  | { readonly kind: "up"; readonly connection: ProbeConnection }
  | { readonly kind: "down"; readonly failure: Failure }

/** Opens connections to one broker under one credential; remembers what the broker speaks. */
export class ProbeConnector {
  readonly target: ConnectTarget
  readonly #proven: TlsCache = { anchor: undefined, session: undefined }
  #version: MqttVersion

  constructor(target: ConnectTarget) {
    this.target = target
    this.#version = target.mqttVersion ?? 5
  }

  async connect(options: ConnectOptions): Promise<ConnectResult> {
    try {
      const open = (version: MqttVersion): Promise<OpenResult> => this.#open(options, version)
      const { attempt, version } = await connectWithFallback(this.#version, open)
      this.#version = version
      if (attempt.opened) return { kind: "up", connection: attempt.connection }
      const isPlain = this.target.trust.kind === "insecure"
      return this.#down(isPlain ? endedWithoutTls(attempt.error) : attempt.error)
    } catch (error) {
      return this.#down(error)
    }
  }

  #down(error: unknown): ConnectResult {
    return { kind: "down", failure: failureOf(error, this.target.address) }
  }

  async #open(options: ConnectOptions, version: MqttVersion): Promise<OpenResult> {
    // a ticket would let one connection in under another's certificate
    this.#proven.session = undefined
    const { socket } = await openSocket(this.target, this.#proven, new AbortController().signal)
    const client = openMqttClient({ socket, mqttVersion: version, ...setupOf(this.target, options) })
    const connection = new ProbeConnection(client, version, options.acknowledges ?? (() => true))
    return new Promise((resolve) => {
      let why: unknown = new Error("closed before CONNACK")
      client.on("error", (error) => (why = error))
      client.once("connect", (connack) => {
        connection.connack = connack
        resolve({ opened: true, connection })
      })
      client.once("close", () => resolve({ opened: false, error: why }))
    })
  }
}

type OpenResult =
  | { readonly opened: true; readonly connection: ProbeConnection }
  | { readonly opened: false; readonly error: unknown }

function setupOf(
  target: ConnectTarget,
  { will, session, clientId }: ConnectOptions,
): Omit<ClientSetup, "socket" | "mqttVersion"> {
  const kept = session === "kept" ? { sessionExpiryInterval: expiryOf(target, clientId) } : {}
  return {
    clientId,
    credential: target.credential,
    clean: session === "clean",
    properties: { ...kept, receiveMaximum: UNACKNOWLEDGED_MAX },
    ...(will && {
      will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: false },
    }),
  }
}

/** The profile's own session lives on as the profile's link would have it. */
function expiryOf({ credential }: ConnectTarget, clientId: string): number {
  const isOwn = credential.kind !== "guest" && credential.deviceId === clientId
  return isOwn ? SESSION_EXPIRY_S : OWN_SESSION_S
}

/** One connection of the doctor's. What comes is heard in order; nothing is ever thrown. */
export class ProbeConnection {
  readonly mqttVersion: MqttVersion
  /** Set once, when the broker has let us in. */
  connack: Connack | undefined
  /** Resolves when the connection has ended, by either side. */
  readonly ended: Promise<"ended">
  readonly received: Frame[] = []
  readonly #listeners = new Set<(frame: Frame) => void>()
  readonly #client: MqttClient
  #hasEnded = false
  #notify: () => void = () => undefined
  #change = this.#nextChange()

  constructor(client: MqttClient, mqttVersion: MqttVersion, acknowledges: (frame: Frame) => boolean) {
    this.#client = client
    this.mqttVersion = mqttVersion
    client.handleMessage = ({ topic, payload }, done) => {
      const frame = { topic, payload: Buffer.from(payload) }
      this.received.push(frame)
      this.#notify()
      for (const listener of this.#listeners) listener(frame)
      if (acknowledges(frame)) done()
      else done(new Error("left to the profile"))
    }
    this.ended = new Promise((resolve) => {
      client.once("close", () => {
        this.#hasEnded = true
        this.#notify()
        resolve("ended")
      })
    })
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** The first frame that fits, of all heard so far or within `ms`; undefined when the line ends or is silent. */
  async waitFor(matches: (frame: Frame) => boolean, ms = ANSWER_MS): Promise<Frame | undefined> {
    const timeout = new AbortController()
    const timer = setTimeout(() => {
      timeout.abort()
      this.#notify()
    }, ms)
    try {
      for (;;) {
        const found = this.received.find(matches)
        if (found !== undefined || timeout.signal.aborted || this.#hasEnded) return found
        await this.#change
      }
    } finally {
      clearTimeout(timer)
    }
  }

  /** Also all that comes from now on; the returned function unsubscribes. */
  listen(onFrame: (frame: Frame) => void): () => void {
    this.#listeners.add(onFrame)
    return () => this.#listeners.delete(onFrame)
  }

  /** Which of the filters the broker says it granted; all in one packet, at QoS 1. */
  subscribe(...filters: readonly string[]): Promise<"ended" | readonly boolean[]> {
    return this.#untilAnswered((answer) => {
      subscribe(this.#client, filters, (granted) =>
        answer(filters.map((_filter, at) => (granted?.[at] ?? REFUSED_FROM) < REFUSED_FROM)),
      )
    })
  }

  unsubscribe(...filters: readonly string[]): Promise<"ended" | "done"> {
    return this.#untilAnswered((answer) => this.#client.unsubscribe([...filters], () => answer("done")))
  }

  publish(frame: Frame, retain = false): Promise<"ended" | "taken" | "refused"> {
    return this.#untilAnswered((answer) => {
      const payload = Buffer.from(frame.payload)
      this.#client.publish(frame.topic, payload, { qos: 1, retain }, (error) =>
        answer(error instanceof Error ? "refused" : "taken"),
      )
    })
  }

  /** Says goodbye. */
  async disconnect(): Promise<void> {
    if (this.#hasEnded) return
    this.#client.end()
    await this.#within(this.ended)
    this.#client.stream.destroy()
  }

  /** Hangs up without a goodbye: the broker then publishes the will. */
  async drop(): Promise<void> {
    this.#client.stream.destroy()
    await this.ended
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#notify = () => {
        this.#change = this.#nextChange()
        resolve()
      }
    })
  }

  /** What mqtt.js answers after the connection has ended says nothing about the broker. */
  #untilAnswered<T>(ask: (answer: (value: T) => void) => void): Promise<"ended" | T> {
    if (this.#hasEnded) return Promise.resolve("ended")
    return this.#within(
      new Promise<"ended" | T>((resolve) => {
        void this.ended.then(resolve)
        ask((value) => setImmediate(() => resolve(this.#hasEnded ? "ended" : value)))
      }),
    )
  }

  /** A broker that does not answer is left; `answer` comes to an end with the connection. */
  async #within<T>(answer: Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#client.stream.destroy(), ANSWER_MS)
    try {
      return await answer
    } finally {
      clearTimeout(timer)
    }
  }
}
