import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { connect, createServer, type TLSSocket } from "node:tls"
import type { Packet } from "mqtt-packet"

import { makeServerCertificate, type Authority } from "../../src/broker/certificates.ts"
import type { Device } from "../broker/broker-fixture.ts"
import { packetsOf } from "./packets.ts"

/** The direction of a packet. */
export type Side = "to broker" | "to client"

/** One connection through the proxy, and the faults it can have. */
export type ProxiedConnection = {
  /** Counted from 0, over all connections. */
  readonly number: number
  /** Forwards it now, as it is or changed. */
  readonly send: (side: Side, packet: Packet) => void
  /** Forwards half of it, then ends the connection. */
  readonly cut: (side: Side, packet: Packet) => void
  readonly close: () => void
}

/** Decides about each packet; what it does not send is lost. */
export type Interceptor = (side: Side, packet: Packet, connection: ProxiedConnection) => void

export const PASS_THROUGH: Interceptor = (side, packet, connection) => connection.send(side, packet)

export type Proxy = {
  readonly port: number
  intercept: Interceptor
  /** Ends all connections. */
  readonly hangUp: () => void
  readonly close: () => Promise<void>
}

/** A proxy between clients and a broker, with a certificate of the broker's authority and the devices' own keys. */
export type ProxySetup = {
  readonly authority: Authority
  readonly brokerPort: number
  readonly devices: readonly Device[]
}

export async function openProxy(setup: ProxySetup): Promise<Proxy> {
  const { authority, devices } = setup
  const own = await makeServerCertificate(authority, ["localhost", "127.0.0.1"])
  const connections = new Set<ProxiedConnection>()
  const server = createServer({
    cert: `${own.certificate}\n${authority.caCertificate}`,
    key: own.key,
    ca: authority.caCertificate,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["mqtt"],
    requestCert: true,
    rejectUnauthorized: false,
    noDelay: true,
  })
  let count = 0
  const proxy: Proxy = {
    get port() {
      return (server.address() as AddressInfo).port
    },
    intercept: PASS_THROUGH,
    hangUp: () => {
      for (const connection of connections) connection.close()
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      proxy.hangUp()
      await closed
    },
  }
  server.on("tlsClientError", (_error, socket) => socket.destroy())
  server.on("secureConnection", (socket) => {
    const { subject } = socket.getPeerCertificate() as { subject?: { CN: string } }
    const device = devices.find(({ id }) => id === subject?.CN)
    const connection = bridge(socket, connectBroker(setup, device), count++, (...about) =>
      proxy.intercept(...about),
    )
    connections.add(connection)
    socket.once("close", () => connections.delete(connection))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return proxy
}

function connectBroker({ authority, brokerPort }: ProxySetup, device: Device | undefined): TLSSocket {
  return connect({
    host: "127.0.0.1",
    port: brokerPort,
    ca: authority.caCertificate,
    ALPNProtocols: ["mqtt"],
    ...(device === undefined ? {} : { cert: device.certificate, key: device.key }),
  }).setNoDelay()
}

function bridge(
  client: TLSSocket,
  broker: TLSSocket,
  number: number,
  intercept: Interceptor,
): ProxiedConnection {
  const toBroker = packetsOf(client, (packet) => {
    if (packet.cmd === "connect") toClient.version = toBroker.version
    intercept("to broker", packet, connection)
  })
  const toClient = packetsOf(broker, (packet) => intercept("to client", packet, connection))
  const outOf = { "to broker": toClient, "to client": toBroker }
  const connection: ProxiedConnection = {
    number,
    send: (side, packet) => outOf[side].send(packet),
    cut: (side, packet) => outOf[side].cut(packet),
    close: () => {
      client.destroy()
      broker.destroy()
    },
  }
  client.once("close", () => broker.destroy())
  broker.once("close", () => client.destroy())
  return connection
}
