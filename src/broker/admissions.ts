import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import type { AedesOptions, Client, ConnectPacket, PublishPacket } from "aedes"
import { hold, mayPublish, mayReceive, maySubscribe } from "./acl.ts"
import { type Admission, callerOf } from "./caller.ts"
import { GuestGate, type GuestRate } from "./gate.ts"
import { PAYLOAD_MAX_BYTES, UNREAD_MAX_BYTES } from "./guard.ts"
import type { Limits } from "./limits.ts"
import { Meter } from "./meter.ts"

/** `from` is the client id: a device id, the registrar's, or the name that the broker gave a guest. */
export type Observe = (topic: string, payload: Uint8Array, from: string) => void

type Hooks = Required<Pick<AedesOptions, "preConnect" | "authenticate" | "authorizeSubscribe">>

/** MQTT 3.1.1, section 3.2.2.3. */
const RETURN_CODE = { identifier: 2, unavailable: 3, account: 4, notAuthorized: 5 } as const

export type AdmissionsSetup = {
  readonly registrarId: string
  readonly guestRate: GuestRate
  readonly limits: Limits
  /** Asked for each connection of a device whose certificate is good. */
  readonly mayEnter: (device: string) => boolean
  readonly observe?: Observe
}

/** What is known of one connection besides what aedes keeps. */
type Visit = { admission: Admission; readonly address: string; refusal?: Refusal | undefined }
type Refusal = { readonly code: number; readonly why: string }

/** Who may do what: hooks of aedes, over the access rules and the guests' gate. */
export class Admissions {
  readonly hooks: Hooks
  readonly #registrarId: string
  readonly #mayEnter: AdmissionsSetup["mayEnter"]
  readonly #gate: GuestGate
  readonly #guestStayMs: number
  readonly #certificates: Meter
  readonly #keepalive: Limits["keepalive"]
  readonly #observe: Observe
  readonly #visits = new WeakMap<object, Visit>()
  /** By device id. */
  readonly #sockets = new Map<string, Set<TLSSocket>>()
  #guests = 0
  readonly #present = { device: 0, guest: 0, registrar: 0, refused: 0 }
  #refused = 0

  constructor(setup: AdmissionsSetup) {
    this.#registrarId = setup.registrarId
    this.#mayEnter = setup.mayEnter
    this.#gate = new GuestGate(setup.guestRate)
    this.#guestStayMs = setup.guestRate.stayMs
    this.#certificates = new Meter(setup.limits.perCertificate)
    this.#keepalive = setup.limits.keepalive
    this.#observe = setup.observe ?? (() => undefined)
    this.hooks = {
      preConnect: (client, packet, done) => {
        this.#prepare(client, packet)
        done(null, true)
      },
      authenticate: (client, _username, _password, done) => {
        const { refusal } = this.#visitOf(client)
        if (refusal === undefined) done(null, true)
        else done(Object.assign(this.#refuse(refusal.why), { returnCode: refusal.code }), false)
      },
      authorizeSubscribe: (client, filter, done) =>
        done(null, this.maySubscribe(client, filter.topic) ? filter : null),
    }
  }

  /** Open connections by who is at the other end, and what was turned down so far. */
  stats(): { connections: Readonly<Record<Admission["kind"], number>>; refused: number } {
    return { connections: { ...this.#present }, refused: this.#refused }
  }

  /** Called once for each connection, before aedes has it. `conn` is what aedes reads, `socket` what it goes over. */
  arrive(conn: Duplex, socket: TLSSocket): void {
    const address = socket.remoteAddress ?? ""
    const { admission, leave } = this.#enter(socket, address)
    const refusal =
      leave === undefined ? { code: RETURN_CODE.unavailable, why: "too many connections" } : undefined
    this.#visits.set(conn, { admission, address, refusal })
    const { kind } = admission
    this.#present[kind] += 1
    const overstayed = kind === "guest" ? setTimeout(() => socket.destroy(), this.#guestStayMs) : undefined
    socket.once("close", () => {
      clearTimeout(overstayed)
      this.#present[kind] -= 1
      leave?.()
    })
  }

  /** Ends every connection of a device; resolves when they are closed. */
  async expel(device: string): Promise<void> {
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
    const visit = client === null ? undefined : this.#visitOf(client)
    if (client === null || visit === undefined) return new Error("nobody may publish for the broker")
    if (packet.retain) return this.#refuse("retained messages are not kept here")
    if (packet.qos === 2) return this.#refuse("QoS 2 is not offered here")
    if (packet.payload.length > PAYLOAD_MAX_BYTES) return this.#refuse("the message is too long")
    this.#take(visit, packet.topic)
    if (visit.admission.kind === "refused" || !mayPublish(visit.admission, packet.topic)) {
      return this.#refuse("not permitted to publish there")
    }
    if (visit.admission.kind === "guest" && !this.#gate.mayPublish(visit.address, Date.now())) {
      return this.#refuse("too many messages from guests of this address")
    }
    this.#observe(packet.topic, Buffer.from(packet.payload), client.id)
    return null
  }

  maySubscribe(client: Client, filter: string): boolean {
    const visit = this.#visitOf(client)
    this.#take(visit, filter)
    const may = visit.admission.kind !== "refused" && maySubscribe(visit.admission, filter)
    if (!may) this.#refused += 1
    return may
  }

  /** Asked again for each message that is to be forwarded, whatever the subscriptions say. */
  mayReceive(client: Client, topic: string): boolean {
    const { admission } = this.#visitOf(client)
    if (client.conn.writableLength > UNREAD_MAX_BYTES) {
      client.conn.destroy()
      return false
    }
    return admission.kind !== "refused" && mayReceive(admission, topic)
  }

  /** Who it is, and what to do when the connection closes; nothing to do is one too many. */
  #enter(socket: TLSSocket, address: string): { admission: Admission; leave: (() => void) | undefined } {
    const admission = this.#admissionOf(socket)
    const now = Date.now()
    switch (admission.kind) {
      case "guest":
        return {
          admission,
          leave: this.#gate.enter(address, now) ? () => this.#gate.leave(address) : undefined,
        }
      case "device":
      case "registrar": {
        const name = admission.kind === "device" ? admission.id : this.#registrarId
        const entered = this.#certificates.enter(name, now)
        return { admission, leave: entered ? () => this.#certificates.leave(name) : undefined }
      }
      case "refused":
        return { admission, leave: () => undefined }
    }
  }

  #admissionOf(socket: TLSSocket): Admission {
    const admission = callerOf(socket, this.#registrarId, Date.now())
    if (admission.kind !== "device") return admission
    if (!this.#mayEnter(admission.id)) return { kind: "refused", why: "the device was revoked" }
    this.#remember(admission.id, socket)
    return admission
  }

  #remember(device: string, socket: TLSSocket): void {
    const sockets = this.#sockets.get(device) ?? new Set()
    this.#sockets.set(device, sockets.add(socket))
    socket.once("close", () => {
      sockets.delete(socket)
      if (sockets.size === 0) this.#sockets.delete(device)
    })
  }

  #prepare(client: Client, packet: ConnectPacket): void {
    const visit = this.#visitOf(client)
    visit.refusal ??= refusalOf(visit.admission, packet, this.#registrarId)
    if (visit.admission.kind === "guest") {
      // Otherwise a guest could take the place of a device by using its id.
      packet.clientId = `guest-${++this.#guests}`
      packet.clean = true
    }
    const { min, max } = this.#keepalive
    // 0 would be "never": a connection that a network has dropped in silence would stay for ever.
    const asked = packet.keepalive === undefined || packet.keepalive === 0 ? max : packet.keepalive
    packet.keepalive = Math.min(max, Math.max(min, asked))
    freeOf(client)
  }

  /** A guest takes hold of the first nameplate and registration id that it names. */
  #take(visit: Visit, topic: string): void {
    if (visit.admission.kind !== "guest") return
    visit.admission = { kind: "guest", holds: hold(visit.admission.holds, topic) ?? visit.admission.holds }
  }

  #refuse(why: string): Error {
    this.#refused += 1
    return new Error(why)
  }

  #visitOf(client: Client): Visit {
    return this.#visits.get(client.conn) ?? UNKNOWN
  }
}

/** A connection that did not come through `arrive` may do nothing. */
const UNKNOWN: Visit = { admission: { kind: "refused", why: "unknown connection" }, address: "" }

function refusalOf(admission: Admission, packet: ConnectPacket, registrarId: string): Refusal | undefined {
  // A certificate, and not one that opens anything here: it is no matter of accounts and passwords.
  if (admission.kind === "refused") return { code: RETURN_CODE.identifier, why: admission.why }
  // A will tells strangers when somebody leaves.
  if (packet.will !== undefined) return { code: RETURN_CODE.notAuthorized, why: "wills are not kept here" }
  if (admission.kind === "guest") {
    const hasAccount = packet.username !== undefined || packet.password !== undefined
    return hasAccount ? { code: RETURN_CODE.account, why: "there are no accounts here" } : undefined
  }
  const id = admission.kind === "registrar" ? registrarId : admission.id
  return packet.clientId === id
    ? undefined
    : { code: RETURN_CODE.identifier, why: "not the certificate's name" }
}

/**
 * Two habits of aedes 1.2 are undone for this client. It drops a message whose counter is below the last one
 * it forwarded, although messages overtake each other. And it makes a publisher wait until each subscriber's
 * socket has drained; here nobody waits, and who does not read is ended by `UNREAD_MAX_BYTES`.
 */
function freeOf(client: Client): void {
  Object.assign(client, UNDONE)
}

/** One for all clients: nothing in it depends on whose it is. */
const UNDONE = {
  duplicates: new Proxy({}, { get: () => 0, set: () => true, deleteProperty: () => true }),
  waitForDrain(this: Client, done: (error: null, client: Client) => void): void {
    setImmediate(done, null, this)
  },
}
