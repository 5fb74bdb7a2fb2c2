import { once } from "node:events"
import type { AddressInfo, Socket } from "node:net"
import { createServer, type Server, type TLSSocket } from "node:tls"
import { Aedes } from "aedes"
import { Fault } from "../errors.ts"
import { Admissions, type Observe } from "./admissions.ts"
import type { GuestRate } from "./gate.ts"
import { guardReads } from "./guard.ts"
import type { JournalStats } from "./journal.ts"
import { openPostOffice, type PostOffice } from "./post-office.ts"
import type { QueuesStats } from "./queues.ts"

export type Listen = { readonly host: string; readonly port: number }

export type BrokerSetup = {
  /** Port 0 takes a free one. */
  readonly listen: readonly Listen[]
  /** PEM: the server's certificate and key, and its authority, which is shown with it so that people can pin it. */
  readonly certificate: string
  readonly key: string
  readonly ca: string
  /** PEM: whoever shows a certificate of this authority is the device that it names. */
  readonly clientCa: string
  /** Where offline messages lie. */
  readonly journalPath: string
  /** Common name of the registrar's certificate. */
  readonly registrarId: string
  readonly guestRate: GuestRate
  /** Asked for each connection of a device whose certificate is good: false for one that was revoked. */
  readonly mayEnter: (device: string) => boolean
  /** Told of every accepted message: what a broker sees. */
  readonly observe?: Observe
  /** Told when a message could not be written down; its sender got no PUBACK. */
  readonly onTrouble?: (fault: Fault) => void
}

export type BrokerStats = {
  readonly connections: number
  /** Connections, publications and subscriptions that were turned down. */
  readonly refused: number
  readonly queued: QueuesStats
  readonly journal: JournalStats
}

export type Broker = {
  /** In the order of `listen`. */
  readonly ports: readonly number[]
  readonly stats: () => BrokerStats
  /** Ends the connections of a device and drops its queue; `mayEnter` must say no to it already. */
  readonly expel: (device: string) => Promise<void>
  readonly close: () => Promise<void>
}

/** A TLS handshake or a CONNECT that takes longer comes from nobody who wants to talk. */
const HANDSHAKE_MS = 10_000

/**
 * MQTT 3.1.1 over TLS 1.3, with what a crash left in the journal.
 * @throws Fault `unavailable` if an address is taken or not ours; Faults of the journal.
 */
export async function startBroker(setup: BrokerSetup): Promise<Broker> {
  const admissions = new Admissions(setup)
  const office = await openPostOffice(setup.journalPath, setup.registrarId, (client, filter) =>
    admissions.maySubscribe(client, filter),
  )
  const aedes = await startAedes(setup, admissions, office)
  const listeners = setup.listen.map(() => newListener(setup, admissions, aedes))
  const close = async (): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close()))
    await new Promise<void>((done) => aedes.close(done))
    await office.close()
  }
  try {
    const ports = await Promise.all(listeners.map(({ server }, i) => bind(server, setup.listen[i])))
    const expel = async (device: string): Promise<void> => {
      await admissions.expel(device)
      await office.forget(device)
    }
    return { ports, stats: () => ({ ...admissions.stats(), ...office.stats() }), expel, close }
  } catch (fault) {
    await close()
    throw fault
  }
}

async function startAedes(setup: BrokerSetup, admissions: Admissions, office: PostOffice): Promise<Aedes> {
  const aedes = await Aedes.createBroker({
    ...admissions.hooks,
    persistence: office,
    // 0 is "no limit": with one, a hundred messages to a subscriber that does not read stop everybody.
    concurrency: 0,
    connectTimeout: HANDSHAKE_MS,
    authorizePublish: (client, packet, done) => {
      const refusal = admissions.mayPublish(client, packet)
      if (refusal !== null) done(refusal)
      else void office.accept(packet).then(() => done(null), failed(setup, done))
    },
    authorizeForward: (client, packet) =>
      !office.isQueued(client, packet) && admissions.mayReceive(client, packet.topic) ? packet : null,
  })
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

type Listener = { readonly server: Server; readonly close: () => Promise<void> }

function newListener(setup: BrokerSetup, admissions: Admissions, aedes: Aedes): Listener {
  const server = createServer({
    cert: `${setup.certificate}\n${setup.ca}`,
    key: setup.key,
    ca: setup.clientCa,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["mqtt"],
    requestCert: true,
    // Guests have no certificate; one that does not verify is refused by CONNACK, which says more than a reset.
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_MS,
    // Session tickets are written first; with Nagle's algorithm CONNACK would wait 40 ms behind them.
    noDelay: true,
  })
  const sockets = new Set<Socket>()
  server.on("connection", (socket: Socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  server.on("secureConnection", (socket: TLSSocket) => {
    guardReads(socket)
    admissions.arrive(socket)
    aedes.handle(socket)
  })
  return { server, close: () => closeServer(server, sockets) }
}

async function bind(server: Server, listen: Listen | undefined): Promise<number> {
  if (listen === undefined) throw new Fault("bug", "a listener without an address")
  server.listen(listen)
  try {
    await once(server, "listening")
  } catch (cause) {
    throw new Fault(
      "unavailable",
      `cannot listen on ${listen.host} port ${listen.port}: ${reason(cause)}`,
      "mqttchat broker --port 0",
      cause,
    )
  }
  return boundPort(server.address())
}

function boundPort(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0
}

function reason(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  if (code === "EADDRINUSE") return "another program listens there"
  if (code === "EADDRNOTAVAIL") return "this machine has no such address"
  if (code === "EACCES") return "not permitted"
  return String(code ?? cause)
}

async function closeServer(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  if (!server.listening) return
  const closed = new Promise<void>((done) => server.close(() => done()))
  for (const socket of sockets) socket.destroy()
  await closed
}
