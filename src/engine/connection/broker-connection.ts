import { toBase64url } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { SerialQueue } from "../../async/serial-queue.ts"
import { isPending, type StoredCredential, type PendingCredential } from "../../keystore/credential.ts"
import type { Credential, BrokerHints, ConnectionState, ConnectTarget } from "../../transport/transport.ts"
import { decodeInvitation } from "../../wire/registration.ts"
import type { ConnectionStatus } from "../api.ts"
import { GuestConnections } from "./guest-connections.ts"
import { openInboxConnection, type InboxConnection, type InboxConnectionEvents } from "./inbox-connection.ts"
import type { BrokerConfig, DeviceCredential, Connection, Ports } from "../state/ports.ts"
import { Renewal, renewed } from "./renewal.ts"
import { whyRefused } from "./replaced-device.ts"
import { routesFor } from "./broker-addresses.ts"

/** A registrar that does not answer is asked again so much later. */
const ENROLL_RETRY_MS = 30_000

type Invitation = Extract<PendingCredential, { kind: "invitation" }>

type Refusal = { readonly broker: BrokerConfig; readonly stored: StoredCredential; readonly why: Fault }

export type BrokerConnectionEvents = InboxConnectionEvents & {
  /** A link was started; it may not be up yet. */
  readonly onConnection: () => void
}

/** The profile's own connection to its broker, once there is a broker and a credential. */
export class BrokerConnection {
  readonly #ports: Ports
  readonly #events: BrokerConnectionEvents
  readonly #renewal: Renewal
  readonly #guestConnections: GuestConnections
  /** Who connects waits for who did: both at once would make two links of one device, which cut each other off. */
  readonly #turns = new SerialQueue()
  #connection: InboxConnection | undefined
  /** The link that a move gives up as soon as the new certificate is there. */
  #previous: InboxConnection | undefined
  #state: ConnectionState | undefined
  /** What this process knows of the broker that its home does not. */
  #hints: BrokerHints | undefined
  #saving: Promise<void> = Promise.resolve()
  #joining = false
  #closed = false
  #cancelRetry: () => void = () => undefined

  constructor(ports: Ports, events: BrokerConnectionEvents) {
    this.#ports = ports
    this.#events = events
    this.#renewal = new Renewal(ports)
    this.#guestConnections = new GuestConnections(ports.connect, (state) => {
      if (state.kind === "online") this.#rememberHints(state)
      // how a guest fares says nothing of a link that is there
      else if (this.#connection === undefined) this.#changed(state)
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

  status(): ConnectionStatus {
    return statusOf(this.#state, this.#ports.config.credential() !== undefined)
  }

  /** Starts connecting where the profile knows where to. */
  start(): void {
    void this.#turns.run(() => this.#connectOrRetry())
  }

  /** Faults `config` when there is a link already: contacts would go on writing to the old broker. */
  readonly joinBroker = async (broker: BrokerConfig, credential: StoredCredential): Promise<void> => {
    this.#joining = true
    this.#cancelRetry()
    await this.#guestConnections.close()
    try {
      await this.#turns.run(() => this.#joinFirst(broker, credential))
    } finally {
      this.#joining = false
      if (this.#connection === undefined) this.start()
    }
    await this.#connection?.online()
  }

  async #joinFirst(broker: BrokerConfig, credential: StoredCredential): Promise<void> {
    if (this.#connection !== undefined || this.#ports.config.credential()?.kind === "device")
      return this.#rejoin(broker, credential)
    await this.#ports.config.saveBroker(broker)
    await this.#ports.config.saveCredential(credential)
    await this.#connectWith(broker, credential)
  }

  /**
   * The same user with a new invitation: the broker has a new authority or another address. The certificate at hand is
   * given up only for the new one.
   */
  async #rejoin(broker: BrokerConfig, stored: StoredCredential): Promise<void> {
    const known = this.#ports.config.credential()
    if (stored.kind !== "invitation" || known?.kind !== "device" || known.userId !== userOf(stored)) {
      throw new Fault("config", "this profile has a broker already", "mqttchat --profile OTHER pair")
    }
    const previous = this.#connection
    this.#previous = previous
    try {
      const fresh = await this.#obtainCredential(broker, stored)
      await this.#ports.config.saveBroker(broker)
      this.#connection = undefined
      await previous?.close()
      this.#connect(broker, fresh)
    } finally {
      this.#previous = undefined
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelRetry()
    await this.#guestConnections.close()
    await this.#renewal.stop()
    await this.#connection?.close()
    await this.#saving
  }

  async #connectWith(broker: BrokerConfig, stored: StoredCredential): Promise<void> {
    if (isPending(stored)) {
      this.#connect(broker, await this.#obtainCredential(broker, stored))
      return
    }
    const { registrar } = broker
    if (stored.kind === "device" && registrar !== undefined && this.#renewal.isExpired(broker, stored)) {
      const renew = (connection: Connection) =>
        renewed(this.#ports, { publisher: connection, registrar, credential: stored, guest: true })
      const fresh = await this.#asGuest(broker, renew)
      if (this.#renewal.isExpired(broker, fresh)) throw clocksDiffer()
      this.#connect(broker, fresh)
      return
    }
    this.#connect(broker, stored)
  }

  #obtainCredential(broker: BrokerConfig, stored: PendingCredential): Promise<DeviceCredential> {
    const { enroll, restore, now, name: deviceName } = this.#ports
    const { registrar } = broker
    return this.#asGuest(broker, (connection) => {
      if (stored.kind === "invitation")
        return enroll({ publisher: connection, invitation: stored.bytes, deviceName })
      if (registrar !== undefined)
        return restore({ publisher: connection, registrar, deviceName, now: now() })
      throw new Fault("config", "the broker has no registrar to come back to", "mqttchat register INVITATION")
    })
  }

  /** Gives way to somebody who moves in. */
  async #connectOrRetry(): Promise<void> {
    const broker = this.#ports.config.broker()
    const credential = this.#ports.config.credential()
    if (broker === undefined || credential === undefined) return
    if (this.#connection !== undefined || this.#isGivenUp()) return
    try {
      await this.#connectWith(broker, credential)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      if (this.#isGivenUp()) return
      const transient = fault.code === "unavailable"
      this.#changed({ kind: transient ? "offline" : "stopped", why: fault })
      if (!transient) return
      this.#cancelRetry = this.#ports.after(ENROLL_RETRY_MS, () => this.start())
    }
  }

  #connect(broker: BrokerConfig, stored: Exclude<StoredCredential, PendingCredential>): void {
    if (this.#closed) return
    const credential = credentialOf(stored)
    const connection = openInboxConnection(this.#ports.connect, this.#target(broker, credential), {
      onInboxFrame: this.#events.onInboxFrame,
      onState: (state) => {
        // a link that was given up has nothing more to say
        if (this.#connection !== connection) return
        if (state.kind === "stopped" && !this.#isOutdated(broker, credential)) {
          void this.#explainRefusal(connection, { broker, stored, why: state.why })
          return
        }
        this.#changed(state)
        if (state.kind === "online") this.#onOnline(connection, state)
        else if (connection !== this.#previous && this.#isOutdated(broker, credential))
          this.#reconnect(connection)
      },
    })
    this.#connection = connection
    this.#events.onConnection()
  }

  /** Refused for good, which of a device's certificate only the registrar can explain. */
  async #explainRefusal(connection: InboxConnection, { broker, stored, why }: Refusal): Promise<void> {
    const { registrar } = broker
    let known: Fault | undefined
    if (why.code === "refused" && stored.kind === "device" && registrar !== undefined) {
      const request = { registrar, credential: stored, guest: true }
      const renewal = this.#asGuest(broker, (connection) =>
        renewed(this.#ports, { ...request, publisher: connection }),
      )
      known = await whyRefused(this.#ports, renewal)
    }
    if (this.#connection === connection) this.#changed({ kind: "stopped", why: known ?? why })
  }

  #onOnline(connection: Connection, hints: BrokerHints): void {
    this.#rememberHints(hints)
    this.#renewal.watch(connection)
  }

  /** Whether another connection with this credential would be one too many: it has expired, or a newer one is there. */
  #isOutdated(broker: BrokerConfig, used: Credential): boolean {
    if (this.#closed || used.kind !== "device") return false
    const stored = this.#ports.config.credential()
    const isReplaced = stored?.kind === "device" && stored.certificate !== used.certificate
    return isReplaced || this.#renewal.isExpired(broker, used)
  }

  #reconnect(previous: InboxConnection): void {
    this.#connection = undefined
    void this.#turns.run(async () => {
      await previous.close()
      await this.#connectOrRetry()
    })
  }

  #isGivenUp(): boolean {
    return this.#closed || this.#joining
  }

  /** What the registrar gives, saved; a guest may do nothing but ask it. */
  async #asGuest(
    broker: BrokerConfig,
    request: (connection: Connection) => Promise<DeviceCredential>,
  ): Promise<DeviceCredential> {
    const credential = await this.#guestConnections.request(this.#target(broker, { kind: "guest" }), request)
    await this.#ports.config.saveCredential(credential)
    return credential
  }

  #target(broker: BrokerConfig, credential: Credential): ConnectTarget {
    const { trust } = broker
    const { mqttVersion, anchor } = this.#hints ?? hintsOf(broker)
    return {
      ...routesFor(broker, credential),
      trust: trust.kind === "pin" && anchor !== undefined ? { ...trust, anchor } : trust,
      credential,
      ...(mqttVersion === undefined ? {} : { mqttVersion }),
    }
  }

  #rememberHints({ mqttVersion, anchor }: BrokerHints): void {
    const { config } = this.#ports
    const broker = config.broker()
    const known = this.#hints ?? (broker && hintsOf(broker))
    if (known?.mqttVersion === mqttVersion && known.anchor === anchor) return
    this.#hints = { mqttVersion, ...(anchor === undefined ? {} : { anchor }) }
    this.#saving = config.saveHints(this.#hints).catch((fault: unknown) => {
      // without it the next start makes a connection more
      if (!(fault instanceof Fault)) throw fault
    })
  }

  #changed(state: ConnectionState): void {
    this.#state = state
    if (!this.#closed) this.#events.onState(state)
  }
}

export function statusOf(state: ConnectionState | undefined, hasBroker: boolean): ConnectionStatus {
  if (state === undefined) {
    if (hasBroker) return { kind: "connecting", why: "connecting" }
    return { kind: "none", why: "this profile has no broker yet", hint: "mqttchat pair" }
  }
  if (state.kind === "online") return { kind: "online" }
  const { code, message, hint } = state.why
  return { kind: state.kind, code, why: message, ...(hint === undefined ? {} : { hint }) }
}

/** Without it, two such clocks would renew one certificate after the other. */
function clocksDiffer(): Fault {
  const message = "the certificate that the broker's registrar has just made is over by this machine's clock"
  return new Fault("refused", message, "check this machine's clock, then ask the person who runs the broker")
}

function hintsOf({ trust, mqttVersion }: BrokerConfig): Partial<BrokerHints> {
  const anchor = trust.kind === "pin" ? trust.anchor : undefined
  return {
    ...(mqttVersion === undefined ? {} : { mqttVersion }),
    ...(anchor === undefined ? {} : { anchor }),
  }
}

function credentialOf(stored: Exclude<StoredCredential, PendingCredential>): Credential {
  if (stored.kind === "account") return stored
  const { deviceId, certificate, key } = stored
  return { kind: "device", deviceId, certificate, key }
}

/** The user id as a device's credential keeps it. */
function userOf({ bytes }: Invitation): string | undefined {
  const user = decodeInvitation(bytes)?.user
  return user && toBase64url(user)
}
