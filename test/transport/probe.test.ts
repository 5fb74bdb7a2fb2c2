import { ExtendedKeyUsage } from "@peculiar/x509"
import { afterEach, beforeEach, expect, test } from "vitest"
import { makeServerCertificate, pinOf } from "../../src/broker/certificates.ts"
import { type Probe, probeBroker } from "../../src/transport/probe.ts"
import { mint, newBrokerFixture, portOf, type BrokerFixture } from "../broker/broker-fixture.ts"
import { CONNACK, silentServer, startScriptedServer } from "./scripted-servers.ts"

const DAY = 24 * 3600 * 1000

let fixture: BrokerFixture

beforeEach(async () => {
  fixture = await newBrokerFixture()
})
afterEach(() => fixture.end())

const authorityPin = (): Uint8Array => pinOf(fixture.authority.caCertificate)

async function serving(cert: string, key: string): Promise<number> {
  const server = await startScriptedServer({ cert, key }, () => CONNACK(0))
  fixture.closeAtEnd(server)
  return server.port
}

const probe = (port: number, pin?: Uint8Array): Promise<Probe> =>
  probeBroker({ host: "127.0.0.1", port }, pin)

test("a broker of an authority that is not known shows the pin of that authority's key", async () => {
  const port = portOf(await fixture.start())
  expect(await probe(port)).toEqual({ kind: "unknown-authority", pin: authorityPin() })
  expect(await probe(port, authorityPin())).toMatchObject({ kind: "proven", trust: { kind: "pin" } })
  expect(await probe(port, new Uint8Array(16))).toEqual({ kind: "another-pin", pin: authorityPin() })
})

test("a broker that shows its own certificate alone has the pin of its own key", async () => {
  const { certificate, key } = await makeServerCertificate(fixture.authority, ["127.0.0.1"])
  expect(await probe(await serving(certificate, key))).toEqual({
    kind: "unknown-authority",
    pin: pinOf(certificate),
  })
})

test("Mallory who appends another authority's certificate is not taken for it", async () => {
  const mallory = await newBrokerFixture()
  const { certificate, key } = await makeServerCertificate(mallory.authority, ["127.0.0.1"])
  const port = await serving(`${certificate}\n${fixture.authority.caCertificate}`, key)
  for (const pin of [undefined, authorityPin(), pinOf(certificate)])
    expect(await probe(port, pin)).toMatchObject({ kind: "unusable", why: { code: "protocol" } })
  await mallory.end()
})

test.each([
  ["has expired", ExtendedKeyUsage.serverAuth, -1000, "expired"],
  ["is a member's", ExtendedKeyUsage.clientAuth, DAY, "does not lead to the key"],
])("a certificate that %s is named as such", async (_what, usage, lifeMs, cause) => {
  const until = new Date(Date.now() + lifeMs)
  const { certificate, key } = await mint(fixture.authority, "localhost", usage, until)
  const port = await serving(`${certificate}\n${fixture.authority.caCertificate}`, key)
  for (const pin of [undefined, authorityPin()]) {
    const found = await probe(port, pin)
    expect(found.kind).toBe("unusable")
    expect("why" in found ? found.why.message : "").toContain(cause)
  }
})

test("nothing, and what says nothing, is not called a broker that could not be used", async () => {
  const silent = await silentServer()
  const { port } = silent
  await silent.close()
  expect(await probe(port)).toMatchObject({ kind: "silent", why: { code: "unavailable" } })
})
