import { execFile } from "node:child_process"
import { getEventListeners } from "node:events"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterEach, beforeEach, expect, test } from "vitest"
import { ExtendedKeyUsage, PemConverter, X509Certificate, X509CertificateGenerator } from "@peculiar/x509"
import { makeAuthority, makeServerCertificate, pinOf } from "../../src/broker/certificates.ts"
import { Fault } from "../../src/errors.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import { openSocket } from "../../src/transport/trust.ts"
import type { Credential, ConnectTarget, Trust } from "../../src/transport/transport.ts"
import { actorFile } from "../actors.ts"
import { mint, newBrokerFixture, portOf, type BrokerFixture } from "../broker/broker-fixture.ts"
import { openTransport, type TransportFixture } from "./transport-fixture.ts"
import { startScriptedServer, CONNACK, plainServer, silentServer } from "./scripted-servers.ts"
import { until } from "../until.ts"

const DAY = 24 * 3600 * 1000
let fixture: BrokerFixture

beforeEach(async () => {
  fixture = await newBrokerFixture()
})
afterEach(() => fixture.end())

function pinned(): Trust {
  return { kind: "pin", pin: pinOf(fixture.authority.caCertificate) }
}

async function alice() {
  const { id, certificate, key } = await fixture.device()
  return { kind: "device", deviceId: id, certificate, key } as const
}

function targetFor(port: number, trust: Trust, credential: Credential, host = "127.0.0.1"): ConnectTarget {
  return { address: { host, port }, trust, credential, mqttVersion: 4 }
}

function connect(...target: Parameters<typeof targetFor>): TransportFixture {
  return fixture.closeAtEnd(openTransport(targetFor(...target)))
}

const serverFor = (...hosts: string[]) => makeServerCertificate(fixture.authority, hosts)

test("a broker whose authority is pinned is accepted, and the pins of its whole chain are reported", async () => {
  const broker = await fixture.start()
  const client = connect(portOf(broker), pinned(), await alice())
  expect(await client.state("online")).toMatchObject({ mqttVersion: 4, sessionPresent: false })
  const pins = client.transport.serverPins()
  expect(pins).toHaveLength(2)
  expect(pins).toContainEqual(pinOf(fixture.authority.caCertificate))
})

test("Mallory's own broker is refused for good, and never sees who connected", async () => {
  const hers = await makeAuthority()
  const { certificate, key } = await makeServerCertificate(hers, ["127.0.0.1"])
  const mallory = fixture.closeAtEnd(
    await startScriptedServer({ cert: `${certificate}\n${hers.caCertificate}`, key }, () => CONNACK(0)),
  )
  const credential = await alice()
  const { why } = await connect(mallory.port, pinned(), credential).state("stopped")
  expect(why).toMatchObject({ code: "protocol" })
  expect(why.message).toContain("does not lead to the key you trusted")
  expect(mallory.clients.map(({ name }) => name)).not.toContain(credential.deviceId)
})

test("Mallory who appends the pinned certificate to her own chain is refused", async () => {
  const hers = await makeAuthority()
  const { certificate, key } = await makeServerCertificate(hers, ["127.0.0.1"])
  const chain = `${certificate}\n${fixture.authority.caCertificate}`
  const mallory = fixture.closeAtEnd(await startScriptedServer({ cert: chain, key }, () => CONNACK(0)))
  const client = connect(mallory.port, pinned(), await alice())
  expect((await client.state("stopped")).why.code).toBe("protocol")
  expect(client.states.map(({ kind }) => kind)).toEqual(["stopped"])
})

/** A broker that shows a certificate of the right authority, but for another use, host or time. */
async function refusalOf(usage: string, until: Date): Promise<Fault> {
  const { certificate, key } = await mint(fixture.authority, "localhost", usage, until)
  const chain = `${certificate}\n${fixture.authority.caCertificate}`
  const mallory = fixture.closeAtEnd(await startScriptedServer({ cert: chain, key }, () => CONNACK(0)))
  const client = connect(mallory.port, pinned(), await alice())
  return (await client.state("stopped")).why
}

test("a member's own certificate does not make Mallory the broker [R-7]", async () => {
  const why = await refusalOf(ExtendedKeyUsage.clientAuth, new Date(Date.now() + DAY))
  expect(why).toMatchObject({ code: "protocol", cause: { code: "INVALID_PURPOSE" } })
})

test("an expired certificate is reported as such", async () => {
  const why = await refusalOf(ExtendedKeyUsage.serverAuth, new Date(Date.now() - 1000))
  expect(why).toMatchObject({ code: "protocol", cause: { code: "CERT_HAS_EXPIRED" } })
  expect(why.hint).toContain("clock")
})

test("a broker is reached by its name, too", async () => {
  const broker = await fixture.start()
  expect((await connect(portOf(broker), pinned(), await alice(), "localhost").state("online")).kind).toBe(
    "online",
  )
})

test("a broker verified by name needs an authority that this machine trusts", async () => {
  const broker = await fixture.start()
  const { why } = await connect(portOf(broker), { kind: "name" }, await alice()).state("stopped")
  expect(why.code).toBe("protocol")
})

test("a server's own certificate can be pinned, with any issuer", async () => {
  const { certificate, key } = await serverFor("127.0.0.1")
  const broker = fixture.closeAtEnd(await startScriptedServer({ cert: certificate, key }, () => CONNACK(0)))
  const client = connect(broker.port, { kind: "pin", pin: pinOf(certificate) }, await alice())
  expect((await client.state("online")).kind).toBe("online")
})

/** A separate process, since the authorities that Node trusts are fixed when it starts. */
async function byName(port: number, authority: string): Promise<string> {
  const file = join(fixture.folder, "authority.pem")
  writeFileSync(file, authority)
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: file, NODE_TLS_REJECT_UNAUTHORIZED: "0" }
  const run = promisify(execFile)
  const args = [actorFile("first-connection"), "localhost", String(port)]
  return (await run(process.execPath, args, { env })).stdout
}

test("a broker verified by name is accepted only with an authority that this machine trusts", async () => {
  const keys = async (...hosts: string[]) => {
    const { certificate, key } = await serverFor(...hosts)
    return { cert: `${certificate}\n${fixture.authority.caCertificate}`, key }
  }
  const right = fixture.closeAtEnd(await startScriptedServer(await keys("localhost"), () => CONNACK(0)))
  const elsewhere = fixture.closeAtEnd(
    await startScriptedServer(await keys("chat.example.org"), () => CONNACK(0)),
  )
  const known = fixture.authority.caCertificate
  const { caCertificate: unknown } = await makeAuthority()
  expect(await byName(right.port, known)).toBe("online")
  expect(await byName(right.port, unknown)).toContain("does not lead to the key you trusted")
  expect(await byName(elsewhere.port, known)).toContain("for another address")
})

test("a newcomer sees the chain of a broker not yet verified, as a guest only", async () => {
  const broker = await fixture.start()
  const client = connect(portOf(broker), { kind: "unproven" }, { kind: "guest" })
  await client.state("online")
  expect(client.transport.serverPins()).toContainEqual(pinOf(fixture.authority.caCertificate))
  const withCredential = targetFor(portOf(broker), { kind: "unproven" }, await alice())
  const events = { onFrame: () => Promise.resolve(), onState: () => undefined }
  expect(() => connectMqtt(withCredential, events)).toThrow(Fault)
})

test("a device of another authority is refused as not admitted, and does not try again", async () => {
  const broker = await fixture.start()
  const { certificate, key, id } = await mint(await makeAuthority(), "AAAAAAAAAAAAAAAAAAAAAA")
  const client = connect(portOf(broker), pinned(), { kind: "device", deviceId: id, certificate, key })
  const { why } = await client.state("stopped")
  expect(why).toMatchObject({ code: "refused", cause: { code: 2 } })
  await expect(client.publish("mc/1/p/1", Buffer.from("x"))).rejects.toBe(why)
  await expect(client.transport.subscribe("mc/1/p/1")).rejects.toBe(why)
})

test("TLS 1.2, and no TLS at all, are distinguished from a broker that is down", async () => {
  const { certificate: cert, key } = await serverFor("127.0.0.1")
  const old = fixture.closeAtEnd(
    await startScriptedServer({ cert, key, minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }, () => CONNACK(0)),
  )
  const plain = fixture.closeAtEnd(await plainServer())
  for (const { port } of [old, plain]) {
    const { why } = await connect(port, pinned(), await alice()).state("stopped")
    expect(why.message).toContain("does not speak MQTT over TLS 1.3")
  }
  await plain.close()
  const { why } = await connect(plain.port, pinned(), await alice()).state("offline")
  expect(why).toMatchObject({ code: "unavailable", cause: { code: "ECONNREFUSED" } })
})

test("closing does not wait for a server that never answers", async () => {
  const silent = fixture.closeAtEnd(await silentServer())
  const client = openTransport(targetFor(silent.port, pinned(), await alice()))
  const wanted = client.transport.subscribe("mc/1/p/1")
  await client.close()
  await expect(wanted).rejects.toMatchObject({ code: "unavailable" })
  expect(client.states).toEqual([])
})

/** The broker of the pinned authority, and its clients so far. */
async function genuineBroker() {
  const { certificate, key } = await serverFor("127.0.0.1")
  const chain = `${certificate}\n${fixture.authority.caCertificate}`
  return fixture.closeAtEnd(await startScriptedServer({ cert: chain, key }, () => CONNACK(0)))
}

const rememberedPin = (anchor: string): Trust => ({
  kind: "pin",
  pin: pinOf(fixture.authority.caCertificate),
  anchor,
})

test("a client that remembers the pinned certificate needs one connection and not two", async () => {
  const broker = await genuineBroker()
  const credential = await alice()
  const { anchor = "" } = await connect(broker.port, pinned(), credential).state("online")
  expect(new X509Certificate(anchor).equal(new X509Certificate(fixture.authority.caCertificate))).toBe(true)
  expect(broker.connectionCount()).toBe(2)
  expect(await connect(broker.port, rememberedPin(anchor), credential).state("online")).toMatchObject({
    anchor,
  })
  expect(broker.connectionCount()).toBe(3)
})

test("Mallory does not see who connects, even with a remembered pinned certificate", async () => {
  const hers = await makeAuthority()
  const { certificate, key } = await makeServerCertificate(hers, ["127.0.0.1"])
  const { caCertificate } = fixture.authority
  const mallory = fixture.closeAtEnd(
    await startScriptedServer({ cert: `${certificate}\n${caCertificate}`, key }, () => CONNACK(0)),
  )
  const credential = await alice()
  const { why } = await connect(mallory.port, rememberedPin(caCertificate), credential).state("stopped")
  expect(why.code).toBe("protocol")
  expect(mallory.clients.map(({ name }) => name)).not.toContain(credential.deviceId)
})

test("a remembered certificate without the pinned key is ignored", async () => {
  const hers = await makeAuthority()
  const { certificate, key } = await makeServerCertificate(hers, ["127.0.0.1"])
  const chain = `${certificate}\n${hers.caCertificate}`
  const mallory = fixture.closeAtEnd(await startScriptedServer({ cert: chain, key }, () => CONNACK(0)))
  const { why } = await connect(mallory.port, rememberedPin(hers.caCertificate), await alice()).state(
    "stopped",
  )
  expect(why.code).toBe("protocol")
  const broker = await genuineBroker()
  for (const anchor of [hers.caCertificate, "no certificate", ""]) {
    expect((await connect(broker.port, rememberedPin(anchor), await alice()).state("online")).kind).toBe(
      "online",
    )
  }
})

/** Another certificate of the same authority, with its key but another name. */
async function reissuedAuthority(): Promise<string> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
  const [pkcs8] = PemConverter.decode(fixture.authority.caKey)
  const spki = new X509Certificate(fixture.authority.caCertificate).publicKey.rawData
  const keys = {
    privateKey: await crypto.subtle.importKey("pkcs8", pkcs8!, algorithm, false, ["sign"]),
    publicKey: await crypto.subtle.importKey("spki", spki, algorithm, true, ["verify"]),
  }
  const made = await X509CertificateGenerator.createSelfSigned({
    keys,
    name: "CN=before",
    signingAlgorithm: algorithm,
  })
  return made.toString("pem")
}

test("an authority whose certificate was reissued with its key is found again", async () => {
  const broker = await genuineBroker()
  const before = await reissuedAuthority()
  const { anchor } = await connect(broker.port, rememberedPin(before), await alice()).state("online")
  expect(anchor).not.toBe(before)
})

test("a connection resumes its own TLS session, and a new one never does", async () => {
  const { certificate, key } = await serverFor("127.0.0.1")
  const chain = `${certificate}\n${fixture.authority.caCertificate}`
  const broker = fixture.closeAtEnd(await startScriptedServer({ cert: chain, key }, () => CONNACK(0)))
  const credential = await alice()
  const first = connect(broker.port, pinned(), credential)
  await first.state("online")
  const pins = first.transport.serverPins()
  broker.clients.at(-1)?.socket.destroy()
  await first.state("offline")
  await first.state("online")
  expect(first.transport.serverPins()).toEqual(pins)

  await connect(broker.port, pinned(), credential).state("online")
  const proven = broker.clients.filter(({ name }) => name === credential.deviceId)
  expect(proven.map(({ resumed }) => resumed)).toEqual([false, true, false])
})

test("failed attempts leave no listeners behind at a connection that keeps trying", async () => {
  const closing = new AbortController()
  const target: ConnectTarget = {
    address: { host: "127.0.0.1", port: 1 },
    trust: pinned(),
    credential: { kind: "guest" },
  }
  const proven = { anchor: undefined, session: undefined }
  await expect(openSocket(target, proven, closing.signal)).rejects.toThrow()
  await until(() => getEventListeners(closing.signal, "abort").length === 0)
})
