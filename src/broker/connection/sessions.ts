import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import type { AedesOptions, Client, ConnectPacket, PublishPacket } from "aedes"
import { forwardAtOnce } from "../aedes-internals.ts"
import { claim, mayPublish, mayReceive, maySubscribe } from "../acl.ts"
import { type Debug, type DebugFields, NO_DEBUG } from "../../debug/debug.ts"
import { shortId } from "../../debug/fields.ts"
import { fromBase64url } from "../../crypto/bytes.ts"
import { type Authentication, authenticate } from "./authentication.ts"
import { FilterLimiter } from "../limits/filter-limiter.ts"
import { GuestLimiter, type GuestLimits } from "../limits/guest-limiter.ts"
import { DeviceBudgets, UNLIMITED } from "../limits/packet-rates.ts"
import type { PacketBudget } from "../limits/packet-scanner.ts"
import { PAYLOAD_MAX_BYTES, UNREAD_MAX_BYTES } from "../limits/packet-size-guard.ts"
import type { Limits } from "../limits/limits.ts"
import { monotonic } from "../limits/monotonic.ts"
import { takenOverPacket } from "./taken-over-packet.ts"
import { type HeldNameplates, NameplateLimiter } from "../limits/nameplate-limiter.ts"
import { UnauthenticatedClients } from "../../unauthenticated-clients.ts"
import { addressBlock, RateLimiter } from "../limits/rate-limiter.ts"

/** `from` is the client id: a device id, the registrar's, or the name that the broker gave a guest. */
export type Observe = (topic: string, payload: Uint8Array, from: string) => void

type Hooks = Required<Pick<AedesOptions, "preConnect" | "authenticate" | "authorizeSubscribe">>

/** MQTT 3.1.1, section 3.2.2.3. */
const RETURN_CODE = { identifier: 2, unavailable: 3, account: 4, notAuthorized: 5 } as const

export type SessionsSetup = {
  readonly registrarId: string
  readonly guestLimits: GuestLimits
  readonly limits: Limits
  /** Asked for each connection of a device whose certificate is good. */
  readonly mayConnect: (device: string) => boolean
  /** Whose device it is: the devices of one member share its nameplates. Left out, each is its own. */
  readonly memberOf?: (device: string) => string
  readonly observe?: Observe
  /** A device has as many subscriptions as it may; told once a connection. */
  readonly onFiltersFull?: (device: string, filtersMax: number) => void
  readonly debug?: Debug
}

/** What we keep about one connection in addition to aedes. */
type ClientSession = {
  authentication: Authentication
  readonly address: string
  /** Of a device; a guest's is among its claims. */
  readonly nameplates?: HeldNameplates | undefined
  refusal?: Refusal | undefined
  readonly onAccepted: () => void
  /** A guest whose first wish was refused: nothing more is done for it. */
  isOver?: boolean
}
type Refusal = { readonly code: number; readonly why: string }

export type SessionsStats = {
  readonly connections: Readonly<Record<Authentication["kind"], number>>
  readonly refused: number
  /** Of those, subscriptions of devices that have as many as they may. */
  readonly filtersRefused: number
}

/** Who may do what: hooks of aedes, over the access rules and the guests' gate. */
export class ClientSessions {
  readonly hooks: Hooks
  readonly #registrarId: string
  readonly #mayConnect: SessionsSetup["mayConnect"]
  readonly #guestLimiter: GuestLimiter
  readonly #guestClients: UnauthenticatedClients
  readonly #guestConnectionMaxMs: number
  readonly #certificateLimiter: RateLimiter
  readonly #deviceBudgets: DeviceBudgets
  readonly #nameplateLimiter = new NameplateLimiter()
  readonly #memberOf: (device: string) => string
  readonly #keepalive: Limits["keepalive"]
  readonly #observe: Observe
  readonly #debug: Debug
  readonly #sessions = new WeakMap<object, ClientSession>()
  /** By device id: the client that was let in last. */
  readonly #latest = new Map<string, Client>()
  /** By device id. */
  readonly #sockets = new Map<string, Set<TLSSocket>>()
  readonly #filterLimiter: FilterLimiter
  #guests = 0
  readonly #connections = { device: 0, guest: 0, registrar: 0, refused: 0 }
  #refused = 0

  constructor(setup: SessionsSetup) {
    this.#registrarId = setup.registrarId
    this.#mayConnect = setup.mayConnect
    this.#memberOf = setup.memberOf ?? ((device) => device)
    this.#guestLimiter = new GuestLimiter(setup.guestLimits)
    this.#guestClients = new UnauthenticatedClients(setup.limits.guestsAtOnce)
    this.#guestConnectionMaxMs = setup.guestLimits.connectionMaxMs
    this.#certificateLimiter = new RateLimiter(setup.limits.perCertificate)
    this.#deviceBudgets = new DeviceBudgets(setup.limits.perDevice, monotonic)
    this.#filterLimiter = new FilterLimiter(setup.limits.filtersMax, setup.onFiltersFull)
    this.#keepalive = setup.limits.keepalive
    this.#observe = setup.observe ?? (() => undefined)
    this.#debug = setup.debug ?? NO_DEBUG
    this.hooks = {
      preConnect: (client, packet, done) => {
        this.#prepare(client, packet)
        done(null, true)
      },
      authenticate: (client, _username, _password, done) => {
        const session = this.#sessionOf(client)
        const { refusal } = session
        if (refusal === undefined) {
          session.onAccepted()
          this.#takeOver(client, session)
          done(null, true)
          return
        }
        const returnCode = refusal.code
        this.#note("refuse", session, { what: "connection", returnCode })
        done(Object.assign(this.#refuse(refusal.why), { returnCode }), false)
      },
      authorizeSubscribe: (client, filter, done) =>
        done(null, this.maySubscribe(client, filter.topic) ? filter : null),
    }
  }

  /** Open connections by who is at the other end, and what was turned down so far. */
  stats(): SessionsStats {
    return {
      connections: { ...this.#connections },
      refused: this.#refused,
      filtersRefused: this.#filterLimiter.refused,
    }
  }

  /**
   * Called once for each connection, before aedes has it; returns what it may send. `conn` is what aedes reads, `socket`
   * what it goes over. `onAccepted` is called when CONNECT was accepted.
   */
  accept(conn: Duplex, socket: TLSSocket, onAccepted: () => void): PacketBudget {
    const address = socket.remoteAddress ?? ""
    const { authentication, release } = this.#admit(socket, address)
    const refusal =
      release === undefined ? { code: RETURN_CODE.unavailable, why: "too many connections" } : undefined
    const nameplates =
      authentication.kind === "device"
        ? this.#nameplateLimiter.open(this.#memberOf(authentication.id))
        : undefined
    const session = { authentication, address, nameplates, refusal, onAccepted }
    this.#sessions.set(conn, session)
    this.#note("open", session, {})
    const { kind } = authentication
    this.#connections[kind] += 1
    const expiry =
      kind === "guest" ? setTimeout(() => socket.destroy(), this.#guestConnectionMaxMs) : undefined
    socket.once("close", () => {
      this.#note("close", session, {})
      clearTimeout(expiry)
      nameplates?.close()
      this.#connections[kind] -= 1
      release?.()
    })
    return this.#budgetOf(session)
  }

  /** Ends every connection of a device; resolves when they are closed. */
  async disconnect(device: string): Promise<void> {
    const sockets = [...(this.#sockets.get(device) ?? [])]
    await Promise.all(
      sockets.map((socket) => {
        const closed = new Promise((resolve) => socket.once("close", resolve))
        socket.destroy()
        return closed
      }),
    )
  }

  /** Why not, or null. A guest's message counts against its address. */
  mayPublish(client: Client | null, packet: PublishPacket): Error | null {
    const session = client === null ? undefined : this.#sessionOf(client)
    if (client === null || session === undefined) return new Error("no client may publish for the broker")
    const what = this.#whatIsWrong(session, packet)
    if (what !== undefined) {
      this.#note("refuse", session, { what })
      return this.#refuse(PUBLISH_REFUSALS[what])
    }
    this.#note("publish", session, { bytes: packet.payload.length })
    this.#observe(packet.topic, Buffer.from(packet.payload), client.id)
    return null
  }

  #budgetOf({ authentication, address }: ClientSession): PacketBudget {
    switch (authentication.kind) {
      case "device":
        return this.#deviceBudgets.of(authentication.id)
      case "registrar":
        return UNLIMITED
      case "guest":
      case "refused":
        return this.#guestLimiter.budgetOf(address, monotonic)
    }
  }

  #whatIsWrong(session: ClientSession, packet: PublishPacket): keyof typeof PUBLISH_REFUSALS | undefined {
    if (session.isOver === true) return "topic"
    if (packet.retain) return "retained"
    if (packet.qos === 2) return "qos"
    if (packet.payload.length > PAYLOAD_MAX_BYTES) return "length"
    this.#claim(session, packet.topic)
    const { authentication, address } = session
    if (authentication.kind === "refused" || !mayPublish(authentication, packet.topic)) return "topic"
    if (session.nameplates?.write(packet.topic, monotonic()) === false) return "nameplate"
    const isGuest = authentication.kind === "guest"
    return isGuest && !this.#guestLimiter.mayPublish(address, monotonic()) ? "rate" : undefined
  }

  maySubscribe(client: Client, filter: string): boolean {
    const session = this.#sessionOf(client)
    if (session.isOver === true) return false
    this.#claim(session, filter)
    const { authentication } = session
    const may =
      authentication.kind !== "refused" &&
      maySubscribe(authentication, filter) &&
      (session.nameplates?.take(filter, monotonic()) ?? true) &&
      this.#filterLimiter.add(client, filter)
    this.#note("subscribe", session, { allowed: may })
    if (!may) this.#refused += 1
    if (!may && authentication.kind === "guest") session.isOver = true
    return may
  }

  /** Whether the client asked for this filter and may have it. */
  isSubscribed(client: Client, filter: string): boolean {
    return this.#filterLimiter.has(client, filter)
  }

  unsubscribed(client: Client, filters: readonly string[]): void {
    this.#filterLimiter.remove(client, filters)
    this.#sessionOf(client).nameplates?.leave(filters)
  }

  /** The client has its SUBACK: a guest that was refused something is not heard again. */
  subscribed({ conn }: Client): void {
    if (this.#sessions.get(conn)?.isOver === true) conn.end(() => conn.destroy())
  }

  /** Checked again for each forwarded message, independent of subscriptions. */
  mayReceive(client: Client, topic: string): boolean {
    const { authentication } = this.#sessionOf(client)
    if (client.conn.writableLength > UNREAD_MAX_BYTES) {
      client.conn.destroy()
      return false
    }
    return authentication.kind !== "refused" && mayReceive(authentication, topic)
  }

  /** Who it is, and what to do when the connection closes; nothing to do is one too many. */
  #admit(
    socket: TLSSocket,
    address: string,
  ): { authentication: Authentication; release: (() => void) | undefined } {
    const authentication = this.#authenticate(socket)
    const now = monotonic()
    switch (authentication.kind) {
      case "guest":
        return {
          authentication,
          release: this.#guestLimiter.acquire(address, now) ? this.#addGuest(socket, address) : undefined,
        }
      case "device":
      case "registrar": {
        const name = authentication.kind === "device" ? authentication.id : this.#registrarId
        const acquired = this.#certificateLimiter.acquire(name, now)
        return {
          authentication,
          release: acquired ? () => this.#certificateLimiter.release(name) : undefined,
        }
      }
      case "refused":
        return { authentication, release: () => undefined }
    }
  }

  #addGuest(socket: TLSSocket, address: string): () => void {
    const remove = this.#guestClients.add(addressBlock(address), () => socket.destroy())
    return () => {
      remove()
      this.#guestLimiter.release(address)
    }
  }

  #authenticate(socket: TLSSocket): Authentication {
    const authentication = authenticate(socket, this.#registrarId, Date.now())
    if (authentication.kind !== "device") return authentication
    if (!this.#mayConnect(authentication.id)) return { kind: "refused", why: "the device was revoked" }
    this.#remember(authentication.id, socket)
    return authentication
  }

  #remember(device: string, socket: TLSSocket): void {
    const sockets = this.#sockets.get(device) ?? new Set()
    this.#sockets.set(device, sockets.add(socket))
    socket.once("close", () => {
      sockets.delete(socket)
      if (sockets.size === 0) this.#sockets.delete(device)
    })
  }

  /** Aedes ends the connection before this one; who had it learns why [W-12]. */
  #takeOver(client: Client, { authentication }: ClientSession): void {
    if (authentication.kind !== "device") return
    const { id } = authentication
    const before = this.#latest.get(id)
    if (before !== undefined && !before.closed) before.conn.write(takenOverPacket(id))
    this.#latest.set(id, client)
    client.conn.once("close", () => {
      if (this.#latest.get(id) === client) this.#latest.delete(id)
    })
  }

  #prepare(client: Client, packet: ConnectPacket): void {
    const session = this.#sessionOf(client)
    session.refusal ??= refusalOf(session.authentication, packet, this.#registrarId)
    if (session.authentication.kind === "guest") {
      // Otherwise a guest could take the place of a device by using its id.
      packet.clientId = `guest-${++this.#guests}`
      packet.clean = true
    }
    const { min, max } = this.#keepalive
    // 0 would be "never": a connection that a network has dropped in silence would stay for ever.
    const asked = packet.keepalive === undefined || packet.keepalive === 0 ? max : packet.keepalive
    packet.keepalive = Math.min(max, Math.max(min, asked))
    forwardAtOnce(client)
  }

  /** A guest takes hold of the first nameplate and registration id that it names. */
  #claim(session: ClientSession, topic: string): void {
    if (session.authentication.kind !== "guest") return
    session.authentication = {
      kind: "guest",
      claims: claim(session.authentication.claims, topic) ?? session.authentication.claims,
    }
  }

  #note<Event extends "open" | "close" | "publish" | "subscribe" | "refuse">(
    event: Event,
    { authentication }: ClientSession,
    fields: DebugFields<"broker", Event>,
  ): void {
    if (this.#debug === NO_DEBUG) return
    const { kind: client } = authentication
    const id = client === "device" ? fromBase64url(authentication.id) : undefined
    this.#debug("broker", event, { client, ...(id && { device: shortId(id) }), ...fields })
  }

  #refuse(why: string): Error {
    this.#refused += 1
    return new Error(why)
  }

  #sessionOf(client: Client): ClientSession {
    return this.#sessions.get(client.conn) ?? UNKNOWN_SESSION
  }
}

const PUBLISH_REFUSALS = {
  retained: "retained messages are not kept here",
  qos: "QoS 2 is not offered here",
  length: "the message is too long",
  topic: "not permitted to publish there",
  nameplate: "too many nameplates",
  rate: "too many messages from guests of this address",
} as const

/** A connection that did not come through `accept` may do nothing. */
const UNKNOWN_SESSION: ClientSession = {
  authentication: { kind: "refused", why: "unknown connection" },
  address: "",
  onAccepted: () => undefined,
}

function refusalOf(
  authentication: Authentication,
  packet: ConnectPacket,
  registrarId: string,
): Refusal | undefined {
  // A certificate, and not one that opens anything here: it is no matter of accounts and passwords.
  if (authentication.kind === "refused") return { code: RETURN_CODE.identifier, why: authentication.why }
  // A will tells strangers when a client leaves.
  if (packet.will !== undefined) return { code: RETURN_CODE.notAuthorized, why: "wills are not kept here" }
  if (authentication.kind === "guest") {
    const hasAccount = packet.username !== undefined || packet.password !== undefined
    return hasAccount ? { code: RETURN_CODE.account, why: "there are no accounts here" } : undefined
  }
  const id = authentication.kind === "registrar" ? registrarId : authentication.id
  return packet.clientId === id
    ? undefined
    : { code: RETURN_CODE.identifier, why: "not the certificate's name" }
}
