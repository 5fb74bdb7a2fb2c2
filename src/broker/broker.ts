import { X509Certificate } from "node:crypto"
import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import type { Aedes, AedesOptions } from "aedes"
import { Fault } from "../errors.ts"
import { Admissions, type AdmissionsSetup } from "./admissions.ts"
import type { ServerCertificate } from "./certificates.ts"
import { guardReads } from "./guard.ts"
import type { JournalStats } from "./journal.ts"
import { Turnstile } from "./limits.ts"
import { type Listen, Listener, type Shown } from "./listener.ts"
import { Lookahead } from "./lookahead.ts"
import { openPostOffice, type Permissions, type PostOffice } from "./post-office.ts"
import type { QueuesStats } from "./queues.ts"
import { Readers } from "./readers.ts"
import { Router } from "./router.ts"
import { Flow, type FlowStats } from "./traffic.ts"

export type BrokerSetup = AdmissionsSetup &
  Shown & {
    /** Port 0 takes a free one. */
    readonly listen: readonly Listen[]
    /** Where offline messages lie. */
    readonly journalPath: string
    /** Told when a message could not be written down; its sender got no PUBACK. */
    readonly onTrouble?: (fault: Fault) => void
  }

export type BrokerStats = {
  /** Open ones whose handshake is over, by who is there. */
  readonly connections: Readonly<Record<"device" | "guest" | "registrar" | "refused", number>>
  /** Connections, publications and subscriptions that were turned down. */
  readonly refused: number
  /** Connections ended before TLS: too many. */
  readonly turnedAway: number
  readonly failedHandshakes: number
  /** Accepted from senders, and handed on. */
  readonly received: FlowStats
  readonly sent: FlowStats
  readonly queued: QueuesStats
  readonly journal: JournalStats
  /** Unix ms. */
  readonly certificateUntil: number
}

export type Broker = {
  /** In the order of `listen`. */
  readonly ports: readonly number[]
  readonly stats: () => BrokerStats
  /** Shows another certificate of the same authority from now on; nobody is disconnected. */
  readonly renew: (certificate: ServerCertificate) => void
  /** Ends the connections of a device and drops its queue; `mayEnter` must say no to it already. */
  readonly expel: (device: string) => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * What no queue brings (QoS 0, pairing) is dropped for a reader with so much unread: long before it would end the
 * connection, or whoever knows an inbox could keep its owner offline.
 */
const BESIDE_QUEUE_MAX_BYTES = 1024 * 1024
const HOUR_MS = 60 * 60 * 1000

/**
 * MQTT 3.1.1 over TLS 1.3, with what a crash left in the journal.
 * @throws Fault `unavailable` if an address is taken or not ours; Faults of the journal.
 */
export async function startBroker(setup: BrokerSetup): Promise<Broker> {
  const works = await startWorks(setup)
  const { admissions, office, turnstile, received, sent } = works
  let failedHandshakes = 0
  let shown: Shown = setup
  const doors = await doorsOf(works, setup)
  const listeners = setup.listen.map((listen) => {
    const arrived = listen.webSocket === true ? doors.webSocket : doors.plain
    const handshakeFailed = (): void => void (failedHandshakes += 1)
    return new Listener(listen, { shown, limits: setup.limits, turnstile, arrived, handshakeFailed })
  })
  const close = async (): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close()))
    await works.close()
  }
  const stats = (): BrokerStats => ({
    ...admissions.stats(),
    turnedAway: turnstile.turnedAway,
    failedHandshakes,
    received: received.stats(Date.now()),
    sent: sent.stats(Date.now()),
    ...office.stats(),
    certificateUntil: Date.parse(new X509Certificate(shown.certificate).validTo),
  })
  const renew = (certificate: ServerCertificate): void => {
    shown = { ...shown, ...certificate }
    for (const listener of listeners) listener.show(shown)
  }
  const expel = async (device: string): Promise<void> => {
    await admissions.expel(device)
    await office.forget(device)
  }
  try {
    const ports = await Promise.all(listeners.map((listener) => listener.bind()))
    return { ports, stats, renew, expel, close }
  } catch (fault) {
    await close()
    throw fault
  }
}

/** Everything behind the listeners. */
type Works = {
  readonly aedes: Aedes
  readonly admissions: Admissions
  readonly office: PostOffice
  readonly turnstile: Turnstile
  readonly readers: Readers
  readonly received: Flow
  readonly sent: Flow
  readonly close: () => Promise<void>
}

async function startWorks(setup: BrokerSetup): Promise<Works> {
  const admissions = new Admissions(setup)
  const [received, sent] = [new Flow(), new Flow()]
  const maySend: Permissions["maySend"] = (client, topic, bytes) => {
    const may = admissions.mayReceive(client, topic)
    if (may) sent.add(bytes, Date.now())
    return may
  }
  const office = await openPostOffice(setup.journalPath, setup.registrarId, {
    maySubscribe: (client, filter) => admissions.maySubscribe(client, filter),
    maySend,
  })
  const aedes = await startAedes(setup, { admissions, office, received, maySend })
  const readers = new Readers()
  const expire = (): void => office.expire(Date.now())
  expire()
  const hourly = setInterval(expire, HOUR_MS).unref()
  const close = async (): Promise<void> => {
    clearInterval(hourly)
    readers.close()
    await new Promise<void>((done) => aedes.close(done))
    await office.close()
  }
  return { aedes, admissions, office, turnstile: new Turnstile(setup.limits), readers, received, sent, close }
}

async function startAedes(
  setup: BrokerSetup,
  works: Pick<Works, "admissions" | "office" | "received"> & Pick<Permissions, "maySend">,
): Promise<Aedes> {
  const { admissions, office, received, maySend } = works
  const lookahead = new Lookahead()
  const options: AedesOptions = {
    ...admissions.hooks,
    persistence: office,
    // 0 is "no limit": with one, a hundred messages to a subscriber that does not read stop everybody.
    concurrency: 0,
    connectTimeout: setup.limits.patienceMs,
    authorizePublish: (client, packet, done) => {
      const refusal = admissions.mayPublish(client, packet)
      if (refusal !== null) {
        done(refusal)
        return
      }
      received.add(packet.payload.length, Date.now())
      const leave = lookahead.enter(client)
      void office
        .accept(packet)
        .finally(leave)
        .then(() => done(null), failed(setup, done))
    },
    authorizeForward: (client, packet) => {
      if (office.isQueued(client, packet) || client.conn.writableLength > BESIDE_QUEUE_MAX_BYTES) return null
      return maySend(client, packet.topic, packet.payload.length) ? packet : null
    },
  }
  const aedes = new Router(options, (packet) => office.isCarried(packet))
  await aedes.listen()
  aedes.on("clientReady", (client) => office.arrived(client))
  aedes.on("clientDisconnect", (client) => office.left(client))
  return aedes
}

/** No PUBACK: the sender is cut off, keeps its message and comes back. */
function failed(setup: BrokerSetup, done: (error: Error) => void): (cause: unknown) => void {
  return (cause) => {
    const fault = cause instanceof Fault ? cause : new Fault("bug", String(cause), undefined, cause)
    setup.onTrouble?.(fault)
    done(fault)
  }
}

type Door = (socket: TLSSocket) => void

/** What becomes of a connection after TLS; the WebSocket library is loaded for whoever wants it. */
async function doorsOf(works: Works, setup: BrokerSetup): Promise<{ plain: Door; webSocket: Door }> {
  const admit = (conn: Duplex, socket: TLSSocket): void => {
    guardReads(conn)
    works.admissions.arrive(conn, socket)
    works.readers.watch(conn, socket, Date.now())
    works.aedes.handle(conn)
  }
  const plain: Door = (socket) => admit(socket, socket)
  if (!setup.listen.some(({ webSocket }) => webSocket === true)) return { plain, webSocket: plain }
  const { webSocketDoor } = await import("./websocket.ts")
  return { plain, webSocket: webSocketDoor(admit, setup.limits.patienceMs) }
}
