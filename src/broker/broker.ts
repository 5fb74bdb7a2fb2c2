import { X509Certificate } from "node:crypto"
import type { TLSSocket } from "node:tls"
import type { Aedes, AedesOptions } from "aedes"
import { Fault } from "../errors.ts"
import { HOUR_MS } from "../time-units.ts"
import { ClientSessions, type SessionsSetup } from "./connection/sessions.ts"
import type { ServerCertificate } from "./certificates.ts"
import { guardReads } from "./limits/packet-size-guard.ts"
import type { JournalFound } from "./queues/journal-file.ts"
import type { JournalStats } from "./queues/journal.ts"
import { ConnectionLimiter } from "./limits/limits.ts"
import { HandshakeQueue } from "./connection/handshake-queue.ts"
import { type ListenAddress, Listener, type TlsCredentials } from "./connection/listener.ts"
import type { UpgradeHandler } from "./connection/websocket.ts"
import { ReadAhead } from "./connection/read-ahead.ts"
import { openOfflineQueues, type Permissions, type OfflineQueues } from "./queues/offline-queues.ts"
import type { QueuesStats } from "./queues/queues.ts"
import { SlowConsumers } from "./limits/slow-consumers.ts"
import { Router } from "./aedes-internals.ts"
import { TrafficCounter, type TrafficStats } from "./traffic-counter.ts"
import { monotonic } from "./limits/monotonic.ts"

export type BrokerSetup = SessionsSetup &
  TlsCredentials & {
    /** Port 0 takes a free one. */
    readonly listen: readonly ListenAddress[]
    /** Where offline messages lie. */
    readonly journalPath: string
    /** Called when a message could not be written; its sender got no PUBACK. */
    readonly onTrouble?: (fault: Fault) => void
  }

export type BrokerStats = {
  /** Open ones whose handshake is over, by who is there. */
  readonly connections: Readonly<Record<"device" | "guest" | "registrar" | "refused", number>>
  /** Connections, publications and subscriptions that were turned down. */
  readonly refused: number
  /** Of those, subscriptions of devices that have as many as they may. */
  readonly filtersRefused: number
  /** Connections ended before TLS: too many. */
  readonly turnedAway: number
  readonly failedHandshakes: number
  /** Accepted from senders, and handed on. */
  readonly received: TrafficStats
  readonly sent: TrafficStats
  readonly queued: QueuesStats
  readonly journal: JournalStats
  /** Unix ms. */
  readonly certificateValidFrom: number
  /** Unix ms. */
  readonly certificateExpiresAt: number
}

export type Broker = {
  /** In the order of `listen`. */
  readonly ports: readonly number[]
  readonly stats: () => BrokerStats
  /** What was in the journal's place at the start. */
  readonly journalFound: JournalFound
  /** Presents another certificate of the same authority from now on; existing connections stay. */
  readonly renew: (certificate: ServerCertificate) => void
  /** Ends the connections of a device and drops its queue; `mayEnter` must say no to it already. */
  readonly disconnect: (device: string) => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * What no queue brings (QoS 0, pairing) is dropped for a reader with so much unread: long before it would end the
 * connection, or anyone who knows an inbox could keep its owner offline.
 */
const UNQUEUED_MAX_BYTES = 1024 * 1024

/**
 * MQTT 3.1.1 over TLS 1.3, with what a crash left in the journal.
 * @throws Fault `unavailable` if an address is taken or not ours; Faults of the journal.
 */
export async function startBroker(setup: BrokerSetup): Promise<Broker> {
  const parts = await startParts(setup)
  const { sessions, offlineQueues, connectionLimiter, received, sent } = parts
  let failedHandshakes = 0
  let credentials: TlsCredentials = setup
  const handlers = await socketHandlers(parts, setup)
  const handshakes = new HandshakeQueue()
  const listeners = setup.listen.map((listen) => {
    const onSecureConnection = listen.webSocket === true ? handlers.webSocket : handlers.plain
    const onHandshakeFailed = (): void => void (failedHandshakes += 1)
    return new Listener(listen, {
      credentials,
      limits: setup.limits,
      connectionLimiter,
      handshakes,
      onSecureConnection,
      onHandshakeFailed,
    })
  })
  const close = async (): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close()))
    await parts.close()
  }
  const stats = (): BrokerStats => ({
    ...sessions.stats(),
    turnedAway: connectionLimiter.turnedAway,
    failedHandshakes,
    received: received.stats(monotonic()),
    sent: sent.stats(monotonic()),
    ...offlineQueues.stats(),
    ...validityOf(credentials.certificate),
  })
  const renew = (certificate: ServerCertificate): void => {
    credentials = { ...credentials, ...certificate }
    for (const listener of listeners) listener.setCredentials(credentials)
  }
  const disconnect = async (device: string): Promise<void> => {
    await sessions.disconnect(device)
    await offlineQueues.forget(device)
  }
  try {
    const ports = await Promise.all(listeners.map((listener) => listener.bind()))
    return { ports, stats, journalFound: offlineQueues.found, renew, disconnect, close }
  } catch (fault) {
    await close()
    throw fault
  }
}

function validityOf(certificate: string): Pick<BrokerStats, "certificateValidFrom" | "certificateExpiresAt"> {
  const { validFrom, validTo } = new X509Certificate(certificate)
  return { certificateValidFrom: Date.parse(validFrom), certificateExpiresAt: Date.parse(validTo) }
}

/** Everything behind the listeners. */
type BrokerParts = {
  readonly aedes: Aedes
  readonly sessions: ClientSessions
  readonly offlineQueues: OfflineQueues
  readonly connectionLimiter: ConnectionLimiter
  readonly slowConsumers: SlowConsumers
  readonly received: TrafficCounter
  readonly sent: TrafficCounter
  readonly close: () => Promise<void>
}

async function startParts(setup: BrokerSetup): Promise<BrokerParts> {
  const sessions = new ClientSessions(setup)
  const [received, sent] = [new TrafficCounter(), new TrafficCounter()]
  const maySend: Permissions["maySend"] = (client, topic, bytes) => {
    const may = sessions.mayReceive(client, topic)
    if (may) sent.add(bytes, monotonic())
    return may
  }
  const offlineQueues = await openOfflineQueues(setup.journalPath, setup.registrarId, {
    isSubscribed: (client, filter) => sessions.isSubscribed(client, filter),
    maySend,
  })
  const aedes = await startAedes(setup, { sessions, offlineQueues, received, maySend })
  const slowConsumers = new SlowConsumers()
  const expire = (): void => offlineQueues.expire()
  expire()
  const hourly = setInterval(expire, HOUR_MS).unref()
  const close = async (): Promise<void> => {
    clearInterval(hourly)
    slowConsumers.close()
    await new Promise<void>((done) => aedes.close(done))
    await offlineQueues.close()
  }
  return {
    aedes,
    sessions,
    offlineQueues,
    connectionLimiter: new ConnectionLimiter(setup.limits),
    slowConsumers,
    received,
    sent,
    close,
  }
}

async function startAedes(
  setup: BrokerSetup,
  parts: Pick<BrokerParts, "sessions" | "offlineQueues" | "received"> & Pick<Permissions, "maySend">,
): Promise<Aedes> {
  const { sessions, offlineQueues, received, maySend } = parts
  const readAhead = new ReadAhead()
  const options: AedesOptions = {
    ...sessions.hooks,
    persistence: offlineQueues,
    // 0 is "no limit": with one, a hundred messages to a subscriber that does not read stop all clients.
    concurrency: 0,
    connectTimeout: setup.limits.connectTimeoutMs,
    authorizePublish: (client, packet, done) => {
      const refusal = sessions.mayPublish(client, packet)
      if (refusal !== null) {
        done(refusal)
        return
      }
      received.add(packet.payload.length, monotonic())
      const release = readAhead.begin(client)
      void offlineQueues
        .accept(packet)
        .finally(release)
        .then(() => done(null), failed(setup, done))
    },
    authorizeForward: (client, packet) => {
      if (offlineQueues.isQueued(client, packet) || client.conn.writableLength > UNQUEUED_MAX_BYTES)
        return null
      return maySend(client, packet.topic, packet.payload.length) ? packet : null
    },
  }
  const aedes = new Router(options, (packet) => offlineQueues.bypassesRouting(packet))
  await aedes.listen()
  aedes.on("unsubscribe", (filters, client) => sessions.unsubscribed(client, filters))
  aedes.on("subscribe", (_filters, client) => sessions.subscribed(client))
  aedes.on("clientReady", (client) => offlineQueues.connected(client))
  aedes.on("clientDisconnect", (client) => offlineQueues.disconnected(client))
  return aedes
}

/** No PUBACK: the sender is cut off, keeps its message and comes back. */
function failed(setup: BrokerSetup, done: (error: Error) => void): (cause: unknown) => void {
  return (cause) => {
    const fault = cause instanceof Fault ? cause : new Fault("bug", String(cause), undefined, cause)
    setup.debug?.("broker", "trouble", { code: fault.code })
    setup.onTrouble?.(fault)
    done(fault)
  }
}

type SocketHandler = (socket: TLSSocket, onAccepted: () => void) => void

/** Handles a connection after TLS; the WebSocket library is loaded only where it is enabled. */
async function socketHandlers(
  parts: BrokerParts,
  setup: BrokerSetup,
): Promise<{ plain: SocketHandler; webSocket: SocketHandler }> {
  const accept: UpgradeHandler = (conn, socket, onAccepted) => {
    const budget = parts.sessions.accept(conn, socket, onAccepted)
    guardReads(conn, budget)
    parts.slowConsumers.watch(conn, socket, monotonic())
    parts.aedes.handle(conn)
    return budget
  }
  const plain: SocketHandler = (socket, onAccepted) => void accept(socket, socket, onAccepted)
  if (!setup.listen.some(({ webSocket }) => webSocket === true)) return { plain, webSocket: plain }
  const { webSocketHandler } = await import("./connection/websocket.ts")
  return { plain, webSocket: webSocketHandler(accept, setup.limits.connectTimeoutMs) }
}
