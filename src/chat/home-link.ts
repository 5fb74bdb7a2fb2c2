import { toBase64url } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { SerialQueue } from "../async/serial-queue.ts"
import { isPending, type StoredCredential, type PendingCredential } from "../keystore/credential.ts"
import type { Credential, BrokerHints, ConnectionState, ConnectTarget } from "../transport/transport.ts"
import { decodeInvitation } from "../wire/registration.ts"
import type { Link as LinkReport } from "./api.ts"
import { Guests } from "./guests.ts"
import { openLine, type Link, type LineEvents } from "./line.ts"
import type { BrokerHome, DeviceCredential, Line, Ports } from "./ports.ts"
import { Renewal, renewed } from "./renewal.ts"
import { whyTurnedAway } from "./contacts/turned-away.ts"
import { waysFor } from "./contacts/whereabouts.ts"

/** A registrar that does not answer is asked again so much later. */
const ENROL_AGAIN_MS = 30_000

type Invitation = Extract<PendingCredential, { kind: "invitation" }>

type Refused = { readonly broker: BrokerHome; readonly stored: StoredCredential; readonly why: Fault }

export type HomeEvents = LineEvents & {
  /** A link was started; it may not be up yet. */
  readonly onLink: () => void
}

/** The profile's own connection to its broker, once there is a broker and a credential. */
export class HomeLink {
  readonly #ports: Ports
  readonly #events: HomeEvents
  readonly #renewal: Renewal
  readonly #guests: Guests
  /** Who connects waits for who did: both at once would make two links of one device, which cut each other off. */
  readonly #turns = new SerialQueue()
  #link: Link | undefined
  /** The link that a move gives up as soon as the new certificate is there. */
  #leaving: Link | undefined
  #state: ConnectionState | undefined
  /** What this process knows of the broker that its home does not. */
  #learnt: BrokerHints | undefined
  #saving: Promise<void> = Promise.resolve()
  #movingIn = false
  #closed = false
  #cancelRetry: () => void = () => undefined

  constructor(ports: Ports, events: HomeEvents) {
    this.#ports = ports
    this.#events = events
    this.#renewal = new Renewal(ports)
    this.#guests = new Guests(ports.connect, (state) => {
      if (state.kind === "online") this.#learn(state)
      // how a guest fares says nothing of a link that is there
      else if (this.#link === undefined) this.#changed(state)
    })
  }

  link(): Link | undefined {
    return this.#link
  }

  /** Base64url of our device id, once there is one. */
  deviceId(): string | undefined {
    const known = this.#ports.home.credential()
    return known === undefined || isPending(known) ? undefined : known.deviceId
  }

  report(): LinkReport {
    return reportOf(this.#state, this.#ports.home.credential() !== undefined)
  }

  /** Starts connecting where the profile knows where to. */
  start(): void {
    void this.#turns.run(() => this.#settlePatiently())
  }

  /** Faults `config` when there is a link already: contacts would go on writing to the old broker. */
  readonly moveIn = async (broker: BrokerHome, credential: StoredCredential): Promise<void> => {
    this.#movingIn = true
    this.#cancelRetry()
    await this.#guests.close()
    try {
      await this.#turns.run(() => this.#move(broker, credential))
    } finally {
      this.#movingIn = false
      if (this.#link === undefined) this.start()
    }
    await this.#link?.online()
  }

  async #move(broker: BrokerHome, credential: StoredCredential): Promise<void> {
    if (this.#link !== undefined || this.#ports.home.credential()?.kind === "device")
      return this.#moveAgain(broker, credential)
    await this.#ports.home.saveBroker(broker)
    await this.#ports.home.saveCredential(credential)
    await this.#settle(broker, credential)
  }

  /**
   * The same user with a new invitation: the broker has a new authority or another address. The certificate at hand is
   * given up only for the new one.
   */
  async #moveAgain(broker: BrokerHome, stored: StoredCredential): Promise<void> {
    const known = this.#ports.home.credential()
    if (stored.kind !== "invitation" || known?.kind !== "device" || known.userId !== userOf(stored)) {
      throw new Fault("config", "this profile has a broker already", "mqttchat --profile OTHER pair")
    }
    const old = this.#link
    this.#leaving = old
    try {
      const fresh = await this.#join(broker, stored)
      await this.#ports.home.saveBroker(broker)
      this.#link = undefined
      await old?.close()
      this.#connect(broker, fresh)
    } finally {
      this.#leaving = undefined
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelRetry()
    await this.#guests.close()
    await this.#renewal.stop()
    await this.#link?.close()
    await this.#saving
  }

  async #settle(broker: BrokerHome, stored: StoredCredential): Promise<void> {
    if (isPending(stored)) {
      this.#connect(broker, await this.#join(broker, stored))
      return
    }
    const { registrar } = broker
    if (stored.kind === "device" && registrar !== undefined && this.#renewal.isExpired(broker, stored)) {
      const renew = (line: Line) => renewed(this.#ports, { publisher: line, registrar, credential: stored, guest: true })
      const fresh = await this.#asGuest(broker, renew)
      if (this.#renewal.isExpired(broker, fresh)) throw clocksDiffer()
      this.#connect(broker, fresh)
      return
    }
    this.#connect(broker, stored)
  }

  #join(broker: BrokerHome, stored: PendingCredential): Promise<DeviceCredential> {
    const { enroll, restore, now, name: deviceName } = this.#ports
    const { registrar } = broker
    return this.#asGuest(broker, (line) => {
      if (stored.kind === "invitation") return enroll({ publisher: line, invitation: stored.bytes, deviceName })
      if (registrar !== undefined) return restore({ publisher: line, registrar, deviceName, now: now() })
      throw new Fault("config", "the broker has no registrar to come back to", "mqttchat register INVITATION")
    })
  }

  /** Gives way to somebody who moves in. */
  async #settlePatiently(): Promise<void> {
    const broker = this.#ports.home.broker()
    const credential = this.#ports.home.credential()
    if (broker === undefined || credential === undefined) return
    if (this.#link !== undefined || this.#isGivenUp()) return
    try {
      await this.#settle(broker, credential)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      if (this.#isGivenUp()) return
      const transient = fault.code === "unavailable"
      this.#changed({ kind: transient ? "offline" : "stopped", why: fault })
      if (!transient) return
      this.#cancelRetry = this.#ports.after(ENROL_AGAIN_MS, () => this.start())
    }
  }

  #connect(broker: BrokerHome, stored: Exclude<StoredCredential, PendingCredential>): void {
    if (this.#closed) return
    const credential = credentialOf(stored)
    const link = openLine(this.#ports.connect, this.#target(broker, credential), {
      onOther: this.#events.onOther,
      onState: (state) => {
        // a link that was given up has nothing more to say
        if (this.#link !== link) return
        if (state.kind === "stopped" && !this.#isOutlived(broker, credential)) {
          void this.#refused(link, { broker, stored, why: state.why })
          return
        }
        this.#changed(state)
        if (state.kind === "online") this.#cameUp(link, state)
        else if (link !== this.#leaving && this.#isOutlived(broker, credential)) this.#startAnew(link)
      },
    })
    this.#link = link
    this.#events.onLink()
  }

  /** Refused for good, which of a device's certificate only the registrar can explain. */
  async #refused(link: Link, { broker, stored, why }: Refused): Promise<void> {
    const { registrar } = broker
    let known: Fault | undefined
    if (why.code === "refused" && stored.kind === "device" && registrar !== undefined) {
      const request = { registrar, credential: stored, guest: true }
      const renewal = this.#asGuest(broker, (line) => renewed(this.#ports, { ...request, publisher: line }))
      known = await whyTurnedAway(this.#ports, renewal)
    }
    if (this.#link === link) this.#changed({ kind: "stopped", why: known ?? why })
  }

  #cameUp(line: Line, learnt: BrokerHints): void {
    this.#learn(learnt)
    this.#renewal.watch(line)
  }

  /** Whether another connection with this credential would be one too many: it has expired, or a newer one is there. */
  #isOutlived(broker: BrokerHome, used: Credential): boolean {
    if (this.#closed || used.kind !== "device") return false
    const stored = this.#ports.home.credential()
    const isReplaced = stored?.kind === "device" && stored.certificate !== used.certificate
    return isReplaced || this.#renewal.isExpired(broker, used)
  }

  #startAnew(old: Link): void {
    this.#link = undefined
    void this.#turns.run(async () => {
      await old.close()
      await this.#settlePatiently()
    })
  }

  #isGivenUp(): boolean {
    return this.#closed || this.#movingIn
  }

  /** What the registrar gives, saved; a guest may do nothing but ask it. */
  async #asGuest(
    broker: BrokerHome,
    ask: (line: Line) => Promise<DeviceCredential>,
  ): Promise<DeviceCredential> {
    const credential = await this.#guests.ask(this.#target(broker, { kind: "guest" }), ask)
    await this.#ports.home.saveCredential(credential)
    return credential
  }

  #target(broker: BrokerHome, credential: Credential): ConnectTarget {
    const { trust } = broker
    const { mqttVersion, anchor } = this.#learnt ?? learntOf(broker)
    return {
      ...waysFor(broker, credential),
      trust: trust.kind === "pin" && anchor !== undefined ? { ...trust, anchor } : trust,
      credential,
      ...(mqttVersion === undefined ? {} : { mqttVersion }),
    }
  }

  #learn({ mqttVersion, anchor }: BrokerHints): void {
    const { home } = this.#ports
    const broker = home.broker()
    const known = this.#learnt ?? (broker && learntOf(broker))
    if (known?.mqttVersion === mqttVersion && known.anchor === anchor) return
    this.#learnt = { mqttVersion, ...(anchor === undefined ? {} : { anchor }) }
    this.#saving = home.saveLearnt(this.#learnt).catch((fault: unknown) => {
      // without it the next start makes a connection more
      if (!(fault instanceof Fault)) throw fault
    })
  }

  #changed(state: ConnectionState): void {
    this.#state = state
    if (!this.#closed) this.#events.onState(state)
  }
}

export function reportOf(state: ConnectionState | undefined, hasBroker: boolean): LinkReport {
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

function learntOf({ trust, mqttVersion }: BrokerHome): Partial<BrokerHints> {
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
