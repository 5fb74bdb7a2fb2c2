import { Fault, type FaultCode } from "../../errors.ts"
import { deferred } from "../../async/deferred.ts"
import { RetryPauses } from "../../async/retry-pauses.ts"
import { isPending } from "../../keystore/credential.ts"
import type { ConnectionState, Credential } from "../../transport/transport.ts"
import type { ConnectionStatus } from "../state/shapes.ts"
import type { BrokerConfig, Connection, DeviceCredential, NewCredential, Ports } from "../state/ports.ts"
import { PASSING_REFUSALS } from "../../wire/registration.ts"
import { LearnedHints } from "./broker-hints.ts"
import type {
  BrokerEffect,
  BrokerEvent,
  BrokerInput,
  BrokerState,
  Join,
  RegistrarRequest,
  UsableCredential,
} from "./broker-state.ts"
import { brokerStep } from "./broker-step.ts"
import { GuestConnections } from "./guest-connections.ts"
import {
  NO_EVENTS,
  openInboxConnection,
  type InboxConnection,
  type InboxConnectionEvents,
} from "./inbox-connection.ts"
import { JOIN_WITHIN_MS, notJoinedInTime } from "./join-limit.ts"
import { OnDemandTry } from "./on-demand-try.ts"
import { renewed, Renewal, validityOf } from "./renewal.ts"

export type BrokerConnectionEvents = InboxConnectionEvents & {
  /** A connection was started; it may not be up yet. */
  readonly onConnection: () => void
}

type Effect<Kind extends BrokerEffect["kind"]> = Extract<BrokerEffect, { kind: Kind }>
type JoinWaiter = { readonly join: Join; readonly resolve: () => void; readonly reject: (why: Fault) => void }

/**
 * The profile's own connection to its broker, once it has a broker and a credential. `brokerStep` decides; this class
 * owns the connections and the timer, and does what the steps ask for.
 */
export class BrokerConnection {
  readonly #ports: Ports
  #events: BrokerConnectionEvents = { ...NO_EVENTS, onConnection: () => undefined }
  readonly #renewal: Renewal
  readonly #guests: GuestConnections
  readonly #hints: LearnedHints
  #state: BrokerState = { kind: "no-broker" }
  #connection: InboxConnection | undefined
  #reported: ConnectionState | undefined
  readonly #try: OnDemandTry
  readonly #pauses: RetryPauses
  /** Events that arrived while a step was being carried out. */
  readonly #pending: BrokerEvent[] = []
  #isStepping = false
  /** The piece of work under way, if there is one. */
  #work: Promise<void> = Promise.resolve()
  /** Of each join that has no outcome yet, the oldest first. */
  readonly #joins: JoinWaiter[] = []
  #cancelWake: () => void = () => undefined
  #ended: Promise<void> = Promise.resolve()
  #framesReceived = 0
  /** Why a guest's connection is not up, the last one that said so. */
  #guestFault: Fault | undefined

  constructor(ports: Ports) {
    this.#ports = ports
    this.#renewal = new Renewal(ports)
    this.#hints = new LearnedHints(ports.config)
    this.#pauses = new RetryPauses(ports.random)
    this.#try = new OnDemandTry(ports, () => this.#report({ kind: "offline", why: noAnswerYet() }))
    this.#guests = new GuestConnections(ports.connect, (state) => {
      if (state.kind === "online") this.#hints.learn(state)
      else {
        this.#guestFault = state.why
        this.#feed({ kind: "guest-offline", why: state.why })
      }
    })
  }

  connection(): InboxConnection | undefined {
    return this.#connection
  }

  /** Base64url of our device id, once there is one. */
  deviceId(): string | undefined {
    const known = this.#ports.config.credential()
    return known === undefined || isPending(known) ? undefined : known.deviceId
  }

  /** The largest packet that the broker takes, in bytes, if it has said so. */
  maximumPacketSize(): number | undefined {
    return this.#hints.maximumPacketSize()
  }

  /** How many frames have come since the profile was opened. */
  framesReceived(): number {
    return this.#framesReceived
  }

  status(): ConnectionStatus {
    const { config } = this.#ports
    const reported = this.#try.isUnderWay() ? undefined : this.#reported
    return statusOf(reported, config.broker() !== undefined && config.credential() !== undefined)
  }

  /** Starts connecting if the profile has a broker, and reports to `events` from now on. */
  start(events: BrokerConnectionEvents): void {
    this.#events = events
    this.#feed({ kind: "start" })
  }

  /**
   * Resolves when the connection is up. Faults `config` at another broker: contacts would still send to the old one;
   * `unavailable` when it is not up in time.
   */
  readonly joinBroker = async (join: Join, limitMs = JOIN_WITHIN_MS): Promise<void> => {
    this.#guestFault = undefined
    const expired = deferred<never>()
    const cancel = this.#ports.after(limitMs, () => {
      expired.reject(this.#notJoined(join))
      this.#feed({ kind: "join-expired", join })
    })
    try {
      await Promise.race([this.#join(join), expired.promise])
    } finally {
      cancel()
    }
  }

  /** Saves what is new about the broker, and connects there. Resolves before the connection is up. */
  readonly moveBroker = async (broker: BrokerConfig, credential?: NewCredential): Promise<void> => {
    const { config } = this.#ports
    if (credential !== undefined) await config.saveCredential(credential)
    await config.saveBroker(broker)
    this.brokerChanged()
  }

  /** What is on disk about the broker has changed. */
  brokerChanged(): void {
    this.#reported = undefined
    this.#feed({ kind: "broker-changed" })
  }

  /**
   * A command needs the broker: a connection that is down is tried now, unless that was done a moment ago [D-171].
   * Resolves when that try has an outcome, or 5 seconds are over.
   */
  readonly tryNow = (): Promise<void> => {
    const isDown = this.#reported !== undefined && this.#reported.kind !== "online"
    if (isDown && !this.#try.isFresh()) this.#feed({ kind: "asked" })
    return this.#try.ended()
  }

  async close(): Promise<void> {
    this.#try.end()
    this.#feed({ kind: "close" })
    await this.#ended
  }

  async #join(join: Join): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#joins.push({ join, resolve, reject })
      this.#feed({ kind: "join", join })
    })
    await this.#connection?.online()
  }

  #notJoined({ broker }: Join): Fault {
    const own = this.#reported?.kind === "offline" ? this.#reported.why : undefined
    return notJoinedInTime(broker, this.#guestFault ?? own, this.#ports.config.credential())
  }

  /** One event at a time: events that a step causes are handled after it. */
  #feed(event: BrokerEvent): void {
    this.#pending.push(event)
    if (this.#isStepping) return
    this.#isStepping = true
    try {
      for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift())
        this.#step(next)
    } finally {
      this.#isStepping = false
    }
  }

  #step(event: BrokerEvent): void {
    const { next, effects } = brokerStep(this.#state, event, this.#input())
    if (next.kind !== this.#state.kind) this.#cancelWake()
    this.#state = next
    for (const effect of effects) this.#run(effect)
  }

  #input(): BrokerInput {
    const { config, wallClock } = this.#ports
    return { broker: config.broker(), credential: config.credential(), now: wallClock(), validityOf }
  }

  #run(effect: BrokerEffect): void {
    switch (effect.kind) {
      case "report":
        this.#report(effect.connection)
        return
      case "open":
        this.#open(effect)
        return
      case "close-connection":
        this.#work = this.#perform(this.#closeConnection())
        return
      case "ask":
        this.#work = this.#perform(this.#ask(effect))
        return
      case "interrupt":
        void this.#guests.interrupt()
        return
      case "save":
        this.#work = this.#perform(this.#save(effect))
        return
      case "renew":
        this.#renew(effect)
        return
      case "wake":
        this.#wake(effect)
        return
      case "retry":
        this.#wake({ afterMs: this.#pauses.next() })
        return
      case "trying":
        this.#try.begin()
        return
      case "try-now":
        ;(this.#connection ?? this.#guests).retry()
        return
      case "joined":
        this.#joins.shift()?.resolve()
        return
      case "join-failed":
        this.#joins.shift()?.reject(effect.why)
        return
      case "join-dropped":
        this.#drop(effect)
        return
      case "end":
        this.#ended = this.#end()
    }
  }

  /** Feeds the outcome of the work under way. */
  async #perform(work: Promise<BrokerEvent>): Promise<void> {
    this.#feed(await work.catch(failed))
  }

  /** A refusal that is the same again is no news, except to a command that waits for it. */
  #report(connection: ConnectionState): void {
    const isAwaited = this.#try.isUnderWay()
    this.#try.end()
    if (connection.kind === "online") this.#pauses.reset()
    if (!isAwaited && isSameRefusal(this.#reported, connection)) return
    this.#reported = connection
    this.#events.onState(connection)
  }

  #open({ broker, credential }: Effect<"open">): void {
    const target = this.#hints.target(broker, transportCredential(credential))
    const connection = openInboxConnection(this.#ports.connect, target, {
      onInboxFrame: (topic, payload) => {
        this.#framesReceived += 1
        return this.#events.onInboxFrame(topic, payload)
      },
      onState: (state) => {
        // Events of an abandoned connection are ignored.
        if (this.#connection !== connection) return
        if (state.kind === "online") this.#hints.learn(state)
        this.#feed({ kind: "connection", connection: state })
      },
    })
    this.#connection = connection
    this.#events.onConnection()
  }

  async #closeConnection(): Promise<BrokerEvent> {
    const connection = this.#connection
    this.#connection = undefined
    await connection?.close()
    return { kind: "connection-closed" }
  }

  async #ask({ broker, request }: Effect<"ask">): Promise<BrokerEvent> {
    const target = this.#hints.target(broker, { kind: "guest" })
    const credential = await this.#guests.request(target, (publisher) =>
      this.#answer(request, publisher).catch(asRefusal),
    )
    if (credential instanceof Fault) return { kind: "refused", why: credential }
    await this.#ports.config.saveCredential(credential)
    return { kind: "obtained", credential }
  }

  #answer(request: RegistrarRequest, publisher: Connection): Promise<DeviceCredential> {
    const { enroll, restore, wallClock, name } = this.#ports
    const deviceName = name()
    switch (request.kind) {
      case "enroll":
        return enroll({ publisher, invitation: request.invitation, deviceName })
      case "restore":
        return restore({ publisher, registrar: request.registrar, deviceName, now: wallClock() })
      case "renew": {
        const { registrar, credential } = request
        return renewed(this.#ports, { publisher, registrar, credential, guest: true })
      }
    }
  }

  async #save({ broker, credential }: Effect<"save">): Promise<BrokerEvent> {
    const { config } = this.#ports
    await config.saveBroker(broker)
    if (credential !== undefined) await config.saveCredential(credential)
    return { kind: "saved" }
  }

  #renew({ registrar, credential }: Effect<"renew">): void {
    if (this.#connection === undefined) return
    this.#renewal.start({ publisher: this.#connection, registrar, credential, guest: false })
  }

  #drop({ join }: Effect<"join-dropped">): void {
    const at = this.#joins.findIndex((waiter) => waiter.join === join)
    if (at >= 0) this.#joins.splice(at, 1)
  }

  #wake({ afterMs }: Omit<Effect<"wake">, "kind">): void {
    this.#cancelWake()
    this.#cancelWake = this.#ports.after(afterMs, () => this.#feed({ kind: "wake" }))
  }

  async #end(): Promise<void> {
    await this.#guests.interrupt()
    await this.#renewal.finish()
    await this.#connection?.close()
    await this.#work
    await this.#hints.saved()
  }
}

export function statusOf(state: ConnectionState | undefined, hasBroker: boolean): ConnectionStatus {
  if (state === undefined) {
    if (hasBroker) return { kind: "connecting", reason: "connecting" }
    return { kind: "none", reason: "this profile has no broker yet", hint: "mqttchat pair" }
  }
  if (state.kind === "online") return { kind: "online" }
  const { code, message, hint } = state.why
  return { kind: state.kind, code, reason: message, ...(hint === undefined ? {} : { hint }) }
}

function isSameRefusal(before: ConnectionState | undefined, now: ConnectionState): boolean {
  if (before?.kind !== "stopped" || now.kind !== "stopped") return false
  return before.why.code === now.why.code && before.why.message === now.why.message
}

/** An answer of the registrar that asking again does not change. What the broker refused has an error as its cause. */
function asRefusal(fault: unknown): Fault {
  if (!(fault instanceof Fault) || !FINAL.has(fault.code)) throw fault
  if (fault.cause instanceof Error || PASSING_REFUSALS.has(fault.cause)) throw fault
  return fault
}

const FINAL: ReadonlySet<FaultCode> = new Set(["refused", "replaced", "bad-data"])

function noAnswerYet(): Fault {
  return new Fault("unavailable", "the broker has not answered yet")
}

function failed(fault: unknown): BrokerEvent {
  if (!(fault instanceof Fault)) throw fault
  return { kind: "failed", why: fault }
}

function transportCredential(credential: UsableCredential): Credential {
  if (credential.kind === "account") return credential
  const { deviceId, certificate, key } = credential
  return { kind: "device", deviceId, certificate, key }
}
