import { Fault } from "../errors.ts"
import type { StoredCredential } from "../keystore/keyfile.ts"
import type { Credential, LinkState } from "../transport/transport.ts"
import type { Link as LinkReport } from "./api.ts"
import { openLine, UNHEARD, type Link, type LineEvents } from "./line.ts"
import type { BrokerHome, DeviceCredential, Ports } from "./ports.ts"

/** A registrar that does not answer is asked again so much later. */
const ENROL_AGAIN_MS = 30_000

export type HomeEvents = LineEvents & {
  /** A link was started; it may not be up yet. */
  readonly onLink: () => void
}

/** The profile's own connection to its broker, once there is a broker and a credential. */
export class HomeLink {
  readonly #ports: Ports
  readonly #events: HomeEvents
  #link: Link | undefined
  #guest: Link | undefined
  #state: LinkState | undefined
  #closed = false
  #cancelRetry: () => void = () => undefined

  constructor(ports: Ports, events: HomeEvents) {
    this.#ports = ports
    this.#events = events
  }

  link(): Link | undefined {
    return this.#link
  }

  /** Base64url of our device id, once there is one. */
  deviceId(): string | undefined {
    const known = this.#ports.home.credential()
    return known === undefined || known.kind === "invitation" ? undefined : known.deviceId
  }

  report(): LinkReport {
    return reportOf(this.#state, this.#ports.home.credential() !== undefined)
  }

  /** Starts connecting where the profile knows where to. */
  start(): void {
    const broker = this.#ports.home.broker()
    const credential = this.#ports.home.credential()
    if (broker !== undefined && credential !== undefined) void this.#settlePatiently(broker, credential)
  }

  /** Faults `config` when there is a link already: contacts would go on writing to the old broker. */
  readonly moveIn = async (broker: BrokerHome, credential: StoredCredential): Promise<void> => {
    if (this.#link !== undefined) {
      throw new Fault("config", "this profile has a broker already", "mqttchat --profile OTHER pair")
    }
    await this.#ports.home.saveBroker(broker)
    await this.#ports.home.saveCredential(credential)
    const link = await this.#settle(broker, credential)
    await link.online()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelRetry()
    await this.#guest?.close()
    await this.#link?.close()
  }

  async #settle(broker: BrokerHome, stored: StoredCredential): Promise<Link> {
    if (stored.kind !== "invitation") return this.#connect(broker, credentialOf(stored))
    const credential = await this.#enrol(broker, stored.bytes)
    await this.#ports.home.saveCredential(credential)
    return this.#connect(broker, credentialOf(credential))
  }

  async #settlePatiently(broker: BrokerHome, stored: StoredCredential): Promise<void> {
    try {
      await this.#settle(broker, stored)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      if (this.#closed) return
      const transient = fault.code === "unavailable"
      this.#changed({ kind: transient ? "offline" : "stopped", why: fault })
      if (!transient) return
      const again = () => void this.#settlePatiently(broker, stored)
      this.#cancelRetry = this.#ports.after(ENROL_AGAIN_MS, again)
    }
  }

  #connect({ address, trust }: BrokerHome, credential: Credential): Link {
    const events = { onOther: this.#events.onOther, onState: (state: LinkState) => this.#changed(state) }
    this.#link = openLine(this.#ports.connect, { address, trust, credential }, events)
    this.#events.onLink()
    return this.#link
  }

  /** A guest may do nothing but ask for a certificate. */
  async #enrol({ address, trust }: BrokerHome, invitation: Uint8Array): Promise<DeviceCredential> {
    const { connect, enroll, name } = this.#ports
    const onState = (state: LinkState) => {
      if (state.kind === "offline") this.#changed(state)
    }
    const target = { address, trust, credential: { kind: "guest" } } as const
    const line = openLine(connect, target, { ...UNHEARD, onState })
    this.#guest = line
    try {
      await line.online()
      return await enroll({ line, invitation, deviceName: name })
    } finally {
      await line.close()
    }
  }

  #changed(state: LinkState): void {
    this.#state = state
    if (!this.#closed) this.#events.onState(state)
  }
}

export function reportOf(state: LinkState | undefined, hasBroker: boolean): LinkReport {
  if (state === undefined) {
    if (hasBroker) return { kind: "connecting", why: "connecting" }
    return { kind: "none", why: "this profile has no broker yet", hint: "mqttchat pair" }
  }
  if (state.kind === "online") return { kind: "online" }
  const { code, message, hint } = state.why
  return { kind: state.kind, code, why: message, ...(hint === undefined ? {} : { hint }) }
}

function credentialOf(stored: Exclude<StoredCredential, { kind: "invitation" }>): Credential {
  if (stored.kind === "account") return stored
  const { deviceId, certificate, key } = stored
  return { kind: "device", deviceId, certificate, key }
}
