import { expect } from "vitest"
import { toBase64url, type PublicKey } from "../../src/crypto/bytes.ts"
import type {
  BrokerEffect,
  BrokerEvent,
  BrokerState,
  Join,
  RegistrarRequest,
} from "../../src/engine/connection/broker-state.ts"
import { brokerStep } from "../../src/engine/connection/broker-step.ts"
import type { BrokerConfig, DeviceCredential } from "../../src/engine/state/ports.ts"
import { Fault, type FaultCode } from "../../src/errors.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import type { ConnectionState } from "../../src/transport/transport.ts"
import { decodeInvitation, encodeInvitation } from "../../src/wire/registration.ts"

const MONTH_MS = 30 * 24 * 3600 * 1000
const VALID_MS = 3 * MONTH_MS
const REGISTRAR = new Uint8Array(32).fill(7) as PublicKey

const HOME: BrokerConfig = {
  address: { host: "home", port: 8883 },
  trust: { kind: "pin", pin: new Uint8Array(16).fill(1) },
  registrar: REGISTRAR,
}
const AWAY: BrokerConfig = { ...HOME, address: { host: "away", port: 8883 } }
const OTHER_PIN: BrokerConfig = { ...HOME, trust: { kind: "pin", pin: new Uint8Array(16).fill(2) } }
const PLAIN: BrokerConfig = { address: HOME.address, trust: HOME.trust }
const WITHOUT_TLS: BrokerConfig = { address: HOME.address, trust: { kind: "insecure" } }

const USER = new Uint8Array(16).fill(1)
const invitationFor = (user: Uint8Array, secret: number) =>
  ({
    kind: "invitation",
    bytes: encodeInvitation({
      user,
      secret: new Uint8Array(16).fill(secret),
      registrar: REGISTRAR,
      expiresAt: 2_000_000_000,
    }),
  }) as const
const INVITATION = invitationFor(USER, 1)
const ACCOUNT = { kind: "account", deviceId: "account" } as const

export const JOINS = {
  "join with an invitation": { broker: HOME, credential: INVITATION },
  "join with another invitation": { broker: AWAY, credential: invitationFor(USER, 2) },
  "join with an invitation for another pin": { broker: OTHER_PIN, credential: invitationFor(USER, 4) },
  "join with another user's invitation": {
    broker: AWAY,
    credential: invitationFor(
      USER.map(() => 2),
      3,
    ),
  },
  "join with an account": { broker: PLAIN, credential: ACCOUNT },
  "join without TLS": { broker: WITHOUT_TLS, credential: ACCOUNT },
} as const satisfies Record<string, Join>

const FIRST_DEVICE: DeviceCredential = {
  kind: "device",
  deviceId: "device",
  certificate: "0",
  key: "key",
  userId: toBase64url(USER),
}

/** What a profile can begin with. */
export const STARTS = {
  nothing: [undefined, undefined],
  invited: [HOME, INVITATION],
  restored: [HOME, { kind: "restored" }],
  "restored without a registrar": [PLAIN, { kind: "restored" }],
  account: [PLAIN, ACCOUNT],
  "account without TLS": [WITHOUT_TLS, ACCOUNT],
  device: [HOME, FIRST_DEVICE],
  "device without a registrar": [PLAIN, FIRST_DEVICE],
} as const satisfies Record<string, readonly [BrokerConfig | undefined, StoredCredential | undefined]>

export const EVENTS = [
  "start",
  "the connection is up",
  "the connection breaks",
  "the broker refuses",
  "the broker speaks something else",
  "the guest is offline",
  "the work is done",
  "the work is done, with a certificate that is over",
  "the work fails: unavailable",
  "the work fails: protocol",
  "the registrar refuses",
  "the registrar says: replaced",
  "the timer rings",
  "the renewal arrives",
  "the broker moves",
  "a command asks",
  "a month passes",
  "the clock is set right",
] as const

export type FixtureEvent = keyof typeof JOINS | (typeof EVENTS)[number] | "close"

type Work = Extract<BrokerEffect, { kind: "ask" | "save" | "close-connection" }>

/** The world around one machine: a disk, a registrar and a broker, as the driver would connect them. It checks each effect. */
export class BrokerStepFixture {
  state: BrokerState = { kind: "no-broker" }
  broker: BrokerConfig | undefined
  /** All that the profile has had, in order. */
  readonly brokers: BrokerConfig[] = []
  credential: StoredCredential | undefined
  /** Of this device at the broker. */
  connections = 0
  work: Work | undefined
  /** Joins without an outcome. */
  openJoins = 0
  wakesIn: number | "a pause" | undefined
  readonly effects: BrokerEffect[] = []
  /** The kinds that followed on each other. */
  readonly moves = new Set<string>()
  #now = 1_800_000_000_000
  #renewing: DeviceCredential | undefined
  #interrupted = false
  /** Where each certificate's validity ends, by the certificate. */
  readonly #ends = [this.#now + VALID_MS]

  constructor(start: keyof typeof STARTS) {
    ;[this.broker, this.credential] = STARTS[start]
    if (this.broker !== undefined) this.brokers.push(this.broker)
  }

  /** Feeds this event; false if it is not possible in this state. */
  happen(what: FixtureEvent): boolean {
    switch (what) {
      case "join with an invitation":
      case "join with another invitation":
      case "join with an invitation for another pin":
      case "join with another user's invitation":
      case "join with an account":
      case "join without TLS":
        this.openJoins++
        return this.feed({ kind: "join", join: JOINS[what] })
      case "start":
      case "close":
        return this.feed({ kind: what })
      case "the connection is up":
        return this.#connection({ kind: "online", sessionPresent: true, mqttVersion: 5 })
      case "the connection breaks":
        return this.#connection({ kind: "offline", why: fault("unavailable") })
      case "the broker refuses":
        return this.#connection({ kind: "stopped", why: fault("refused") })
      case "the broker speaks something else":
        return this.#connection({ kind: "stopped", why: fault("protocol") })
      case "the guest is offline":
        return this.work?.kind === "ask" && this.feed({ kind: "guest-offline", why: fault("unavailable") })
      case "the work is done":
        return this.#done(VALID_MS)
      case "the work is done, with a certificate that is over":
        return this.work?.kind === "ask" && this.#done(0)
      case "the work fails: unavailable":
        return this.#failed("unavailable")
      case "the work fails: protocol":
        return this.#failed("protocol")
      case "the registrar refuses":
        return this.#refused("refused")
      case "the registrar says: replaced":
        return this.#refused("replaced")
      case "the timer rings":
        return this.#ring()
      case "the renewal arrives":
        return this.#renewed()
      case "the broker moves":
        return this.#moved()
      case "a command asks":
        return this.feed({ kind: "asked" })
      case "a month passes":
        this.#now += MONTH_MS
        return true
      case "the clock is set right":
        this.#now = 0
        return true
    }
  }

  feed(event: BrokerEvent): boolean {
    const before = this.state
    const { next, effects } = brokerStep(before, event, {
      broker: this.broker,
      credential: this.credential,
      now: this.#now,
      validityOf: (certificate) => {
        const end = this.#ends[Number(certificate)] ?? 0
        return { begin: end - VALID_MS, renewFrom: end - VALID_MS / 3, end }
      },
    })
    if (before.kind === "closed") {
      expect(next).toBe(before)
      expect(effects.filter(({ kind }) => kind !== "join-failed")).toEqual([])
    }
    if (next.kind !== before.kind) {
      this.moves.add(`${before.kind} -> ${next.kind}`)
      this.wakesIn = undefined
    }
    this.state = next
    for (const effect of effects) this.#run(effect)
    return true
  }

  #run(effect: BrokerEffect): void {
    this.effects.push(effect)
    switch (effect.kind) {
      case "report":
        return
      case "open":
        expect([this.connections, this.work], "two connections of one device").toEqual([0, undefined])
        this.connections++
        return
      case "close-connection":
        expect(this.connections).toBe(1)
        this.#begin(effect)
        return
      case "ask":
      case "save":
        this.#begin(effect)
        return
      case "interrupt":
        expect(this.work?.kind, "nothing to interrupt").toBe("ask")
        this.#interrupted = true
        return
      case "renew":
        expect([this.state.kind, this.connections], "renewed over no connection").toEqual(["online", 1])
        this.#renewing ??= effect.credential
        return
      case "wake":
        this.wakesIn = effect.afterMs
        return
      case "retry":
        this.wakesIn = "a pause"
        return
      case "trying":
        return
      case "try-now":
        expect(this.connections + (this.work?.kind === "ask" ? 1 : 0), "nothing to try").toBe(1)
        return
      case "joined":
        expect(this.connections, "joined without a connection").toBe(1)
        this.#settle()
        return
      case "join-failed":
        this.#settle()
        return
      case "join-dropped":
        return
      case "end":
        this.connections = 0
        this.work = undefined
    }
  }

  #begin(work: Work): void {
    expect(this.work, "two pieces of work at a time").toBeUndefined()
    this.work = work
    this.#interrupted = false
  }

  #settle(): void {
    expect(this.openJoins, "an outcome of no join").toBeGreaterThan(0)
    this.openJoins--
  }

  /** The driver passes on events of the present connection, but not while it is being closed. */
  #connection(connection: ConnectionState): boolean {
    if (this.connections === 0 || this.work?.kind === "close-connection") return false
    return this.feed({ kind: "connection", connection })
  }

  #done(validMs: number): boolean {
    const { work } = this
    this.work = undefined
    switch (work?.kind) {
      case undefined:
        return false
      case "ask":
        return this.#obtained(this.#certificateFor(work.request, validMs))
      case "save":
        this.broker = work.broker
        this.brokers.push(work.broker)
        if (work.credential !== undefined) this.credential = work.credential
        return this.feed({ kind: "saved" })
      case "close-connection":
        this.connections--
        return this.feed({ kind: "connection-closed" })
    }
  }

  #obtained(credential: DeviceCredential): boolean {
    this.credential = credential
    return this.feed({ kind: "obtained", credential })
  }

  #certificateFor(request: RegistrarRequest, validMs: number): DeviceCredential {
    const certificate = String(this.#ends.push(this.#now + validMs) - 1)
    switch (request.kind) {
      case "enroll": {
        const user = decodeInvitation(request.invitation)!.user
        return { ...FIRST_DEVICE, certificate, userId: toBase64url(user) }
      }
      case "restore":
        return { ...FIRST_DEVICE, certificate }
      case "renew":
        return { ...request.credential, certificate }
    }
  }

  /** A connection is closed without fail. */
  #failed(code: FaultCode): boolean {
    if (this.work === undefined || this.work.kind === "close-connection") return false
    this.work = undefined
    return this.feed({ kind: "failed", why: fault(this.#interrupted ? "unavailable" : code) })
  }

  /** An answer that was under way when the request was interrupted is not heard. */
  #refused(code: FaultCode): boolean {
    if (this.work?.kind !== "ask") return false
    if (this.#interrupted) return this.#failed("unavailable")
    this.work = undefined
    return this.feed({ kind: "refused", why: fault(code) })
  }

  /** The user sets another address, or the first one. */
  #moved(): boolean {
    if (this.work?.kind === "save") return false
    const known = this.broker
    if (known === undefined) [this.broker, this.credential] = STARTS.account
    else this.broker = { ...known, address: { ...known.address, port: known.address.port + 1 } }
    return this.feed({ kind: "broker-changed" })
  }

  #ring(): boolean {
    if (this.wakesIn === undefined) return false
    this.wakesIn = undefined
    return this.feed({ kind: "wake" })
  }

  #renewed(): boolean {
    const renewing = this.#renewing
    this.#renewing = undefined
    if (renewing === undefined || this.credential !== renewing) return false
    this.credential = this.#certificateFor(
      { kind: "renew", registrar: REGISTRAR, credential: renewing },
      VALID_MS,
    )
    return true
  }
}

function fault(code: FaultCode): Fault {
  return new Fault(code, code)
}
