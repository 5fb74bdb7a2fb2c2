import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { createServer, type Server, type TLSSocket } from "node:tls"
import { Aedes } from "aedes"
import { Fault } from "../errors.ts"
import { Admissions, type Observe } from "./admissions.ts"
import type { GuestRate } from "./gate.ts"
import { guardReads } from "./guard.ts"

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
  /** Told of every accepted message: what a broker sees. */
  readonly observe?: Observe
}

export type BrokerStats = { readonly connections: number; readonly refused: number }

export type Broker = {
  /** In the order of `listen`. */
  readonly ports: readonly number[]
  readonly stats: () => BrokerStats
  readonly close: () => Promise<void>
}

/** A TLS handshake or a CONNECT that takes longer comes from nobody who wants to talk. */
const HANDSHAKE_MS = 10_000

/**
 * MQTT 3.1.1 over TLS 1.3.
 * @throws Fault `unavailable` if an address is taken or not ours.
 */
export async function startBroker(setup: BrokerSetup): Promise<Broker> {
  const admissions = new Admissions(setup)
  const aedes = await Aedes.createBroker({
    ...admissions.hooks,
    // 0 is "no limit": with one, a hundred messages to a subscriber that does not read stop everybody.
    concurrency: 0,
    connectTimeout: HANDSHAKE_MS,
  })
  const servers = setup.listen.map(() => listener(setup, admissions, aedes))
  const close = async (): Promise<void> => {
    await Promise.all([...servers.map(closeServer), new Promise<void>((done) => aedes.close(done))])
  }
  try {
    const ports = await Promise.all(servers.map((server, i) => bind(server, setup.listen[i])))
    return { ports, stats: () => admissions.stats(), close }
  } catch (fault) {
    await close()
    throw fault
  }
}

function listener(setup: BrokerSetup, admissions: Admissions, aedes: Aedes): Server {
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
  server.on("secureConnection", (socket: TLSSocket) => {
    guardReads(socket)
    admissions.arrive(socket)
    aedes.handle(socket)
  })
  return server
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
      "mqttchat broker --port 0 takes a free port",
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

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return
  await new Promise<void>((done) => server.close(() => done()))
}
