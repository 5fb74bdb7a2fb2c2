import { randomBytes, randomInt } from "node:crypto"

import { toBase64url } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { ID_BYTES } from "../wire/topics.ts"
import { retryDelay } from "./backoff.ts"
import { Connection } from "./connection.ts"
import { failureOf, refusesVersion } from "./failures.ts"
import type { Failure } from "./failures.ts"
import { Subscriptions } from "./subscriptions.ts"
import type { Connect, LinkTarget, MqttVersion, Transport, TransportEvents } from "./transport.ts"
import { openSocket } from "./trust.ts"
import type { Proven } from "./trust.ts"

/** A connection that lived this long was a good one: the next failure starts the waiting anew. */
const STEADY_MS = 10_000
const CHANCE_STEPS = 1_000

/**
 * A link over MQTT 5 or 3.1.1 and TLS 1.3 that stays up until it is closed or permanently refused. Throws a Fault
 * `bug` for a target that would show a credential to an unproven broker.
 */
export const connectMqtt: Connect = (target, events) => {
  if (target.trust.kind === "unproven" && target.credential.kind !== "guest") {
    throw new Fault("bug", "a credential was meant for a broker that has not proven itself")
  }
  return new Link(target, events)
}

/** How one connection ended. */
type End = { readonly error: unknown; readonly opened: boolean }

class Link implements Transport {
  readonly #target: LinkTarget
  readonly #events: TransportEvents
  readonly #clientId: string
  readonly #subscriptions = new Subscriptions()
  readonly #proven: Proven = { anchor: undefined, session: undefined }
  readonly #closing = new AbortController()
  readonly #running: Promise<void>
  /** Ends whatever the loop is waiting for. */
  #interrupt: () => void = () => undefined
  #mqttVersion: MqttVersion
  #connection: Connection | undefined
  #pins: readonly Uint8Array[] = []
  #down = new Fault("unavailable", "the broker is not connected yet")

  constructor(target: LinkTarget, events: TransportEvents) {
    this.#target = target
    this.#events = events
    this.#mqttVersion = target.mqttVersion ?? 5
    const { credential } = target
    this.#clientId = credential.kind === "guest" ? toBase64url(randomBytes(ID_BYTES)) : credential.deviceId
    this.#running = this.#run()
  }

  readonly publish = (topic: string, payload: Uint8Array): Promise<void> =>
    this.#connection === undefined ? Promise.reject(this.#down) : this.#connection.publish(topic, payload)

  readonly subscribe = (topic: string): Promise<void> =>
    this.#isEnded() ? Promise.reject(this.#down) : this.#subscriptions.add(topic)

  readonly unsubscribe = (topic: string): Promise<void> => this.#subscriptions.remove(topic)

  readonly serverPins = (): readonly Uint8Array[] => this.#pins

  readonly close = async (): Promise<void> => {
    this.#end(new Fault("unavailable", "the link to the broker was closed"))
    await this.#running
  }

  async #run(): Promise<void> {
    let retries = 0
    while (!this.#isEnded()) {
      const begun = performance.now()
      const failure = await this.#connectOnce()
      if (this.#isEnded()) return
      if (failure.permanent) {
        this.#stop(failure.fault)
        return
      }
      this.#down = failure.fault
      this.#events.onState({ kind: "offline", why: failure.fault })
      retries = performance.now() - begun > STEADY_MS ? 1 : retries + 1
      await this.#pause(retryDelay(retries, randomInt(CHANCE_STEPS) / CHANCE_STEPS))
    }
  }

  /** MQTT 5 first, then 3.1.1 at once where the broker does not take it; a version that worked is kept. */
  async #connectOnce(): Promise<Failure> {
    const { address } = this.#target
    try {
      let end = await this.#live()
      if (!end.opened && refusesVersion(end.error) && !this.#isEnded()) {
        const tried = this.#mqttVersion
        this.#mqttVersion = tried === 5 ? 4 : 5
        end = await this.#live()
        if (!end.opened) this.#mqttVersion = tried
      }
      return failureOf(end.error, address)
    } catch (error) {
      this.#proven.session = undefined
      return failureOf(error, address)
    }
  }

  async #live(): Promise<End> {
    const { socket, pins } = await openSocket(this.#target, this.#proven, this.#closing.signal)
    if (pins.length > 0) this.#pins = pins
    return new Promise((resolve) => {
      const connection = new Connection({
        socket,
        clientId: this.#clientId,
        credential: this.#target.credential,
        mqttVersion: this.#mqttVersion,
        onFrame: this.#events.onFrame,
        onOpen: (opened, sessionPresent) => this.#opened(opened, sessionPresent),
        onEnd: (error, opened) => {
          this.#subscriptions.pause()
          this.#connection = undefined
          resolve({ error, opened })
        },
      })
      this.#interrupt = () => connection.close(this.#down)
    })
  }

  #opened(connection: Connection, sessionPresent: boolean): void {
    this.#connection = connection
    this.#subscriptions.resume(connection)
    this.#events.onState({ kind: "online", sessionPresent, mqttVersion: this.#mqttVersion })
  }

  #stop(why: Fault): void {
    this.#end(why)
    this.#events.onState({ kind: "stopped", why })
  }

  #end(why: Fault): void {
    this.#down = why
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
