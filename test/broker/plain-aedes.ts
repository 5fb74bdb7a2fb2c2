import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { createServer } from "node:tls"
import { Aedes, type AedesOptions } from "aedes"
import { mayPublish, maySubscribe } from "../../src/broker/acl.ts"
import { type Authority, makeServerCertificate } from "../../src/broker/certificates.ts"

export type PlainAedes = { readonly aedes: Aedes; readonly port: number; readonly close: () => Promise<void> }

/**
 * Plain aedes, behind TLS, with our access rules in its two hooks and nothing else: the broker on which
 * each attack must succeed, so that a test of ours is known to be able to fail.
 */
export async function startPlainAedes(authority: Authority, options: AedesOptions = {}): Promise<PlainAedes> {
  const aedes = await Aedes.createBroker({
    authorizePublish: (client, packet, done) => {
      const may = client !== null && mayPublish({ kind: "device", id: client.id }, packet.topic)
      done(may ? null : new Error("refused"))
    },
    authorizeSubscribe: (client, filter, done) => {
      done(null, maySubscribe({ kind: "device", id: client.id }, filter.topic) ? filter : null)
    },
    ...options,
  })
  const { certificate, key } = await makeServerCertificate(authority, ["localhost", "127.0.0.1"])
  const server = createServer(
    { cert: `${certificate}\n${authority.caCertificate}`, key, noDelay: true },
    (socket) => void aedes.handle(socket),
  )
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((done) => server.close(() => done()))
    await new Promise<void>((done) => aedes.close(done))
    await closed
  }
  return { aedes, port: (server.address() as AddressInfo).port, close }
}
