import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import * as x509 from "@peculiar/x509"
import { afterEach, beforeEach, expect, test } from "vitest"
import { makeAuthority, makeServerCertificate, pinOf } from "../../src/broker/certificates.ts"
import { toHex } from "../../src/crypto/bytes.ts"
import type { ConnectionState } from "../../src/transport/transport.ts"
import { actorFile } from "../actors.ts"
import { newBrokerFixture, type BrokerFixture } from "../broker/broker-fixture.ts"
import { CONNACK, startScriptedServer } from "./scripted-servers.ts"
import { openTransport } from "./transport-fixture.ts"

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
/** Of the networks for documentation (RFC 5737): where the broker was before. */
const OLD_ADDRESS = "192.0.2.7"
const { clientAuth, serverAuth } = x509.ExtendedKeyUsage

let fixture: BrokerFixture

beforeEach(async () => {
  fixture = await newBrokerFixture()
})
afterEach(() => fixture.end())

type Keys = { readonly cert: string; readonly key: string }

/** A certificate of the fixture's authority for one name. */
async function leaf(name: string, purposes: readonly string[]): Promise<Keys> {
  const keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"])
  const { caCertificate, caKey } = fixture.authority
  const made = await x509.X509CertificateGenerator.create({
    subject: [{ CN: ["broker"] }],
    issuer: new x509.X509Certificate(caCertificate).subjectName,
    publicKey: keys.publicKey,
    signingKey: await crypto.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(caKey), P256, false, [
      "sign",
    ]),
    signingAlgorithm: P256,
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: "ip", value: name }]),
      ...(purposes.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...purposes])]),
    ],
  })
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey)
  return {
    cert: `${made.toString("pem")}\n${caCertificate}`,
    key: x509.PemConverter.encode(key, "PRIVATE KEY"),
  }
}

async function serve(keys: Keys): Promise<number> {
  const server = await startScriptedServer(keys, () => CONNACK(0))
  fixture.closeAtEnd(server)
  return server.port
}

/** What Alice sees, who has pinned this certificate's key and dials 127.0.0.1. */
async function seen(keys: Keys, pinned = fixture.authority.caCertificate): Promise<ConnectionState> {
  const client = openTransport({
    address: { host: "127.0.0.1", port: await serve(keys) },
    trust: { kind: "pin", pin: pinOf(pinned) },
    credential: { kind: "guest" },
    mqttVersion: 4,
  })
  fixture.closeAtEnd(client)
  return Promise.race([client.state("online"), client.state("stopped")])
}

const WRONG_NAME = {
  kind: "stopped",
  why: { code: "protocol", cause: { code: "ERR_TLS_CERT_ALTNAME_INVALID" } },
}
const WRONG_PURPOSE = { kind: "stopped", why: { code: "protocol", cause: { code: "INVALID_PURPOSE" } } }

test("a broker that got another address is the same broker: its certificate names the old one [W-48]", async () => {
  expect(await seen(await leaf(OLD_ADDRESS, [serverAuth]))).toMatchObject({ kind: "online" })
})

test("a broker whose own key is pinned may be anywhere, whatever its certificate says", async () => {
  const keys = await leaf(OLD_ADDRESS, [])
  expect(await seen(keys, keys.cert)).toMatchObject({ kind: "online" })
})

test.each([
  ["a client's certificate, at another address", OLD_ADDRESS, [clientAuth], WRONG_PURPOSE],
  ["a client's certificate, for this address", "127.0.0.1", [clientAuth], WRONG_PURPOSE],
  ["a certificate without a purpose, at another address", OLD_ADDRESS, [], WRONG_NAME],
  ["a certificate without a purpose, for this address", "127.0.0.1", [], { kind: "online" }],
  [
    "a server's and client's certificate, at another address",
    OLD_ADDRESS,
    [serverAuth, clientAuth],
    { kind: "online" },
  ],
] as const)("%s of the pinned authority [W-48]", async (_what, name, purposes, result) => {
  expect(await seen(await leaf(name, purposes))).toMatchObject(result)
})

test("a server's certificate of another authority is refused, whatever it is called", async () => {
  const hers = await makeAuthority()
  const { certificate, key } = await makeServerCertificate(hers, ["127.0.0.1"])
  const chain = `${certificate}\n${hers.caCertificate}\n${fixture.authority.caCertificate}`
  expect(await seen({ cert: chain, key })).toMatchObject({ kind: "stopped", why: { code: "protocol" } })
})

/** A separate process, since the authorities that Node trusts are fixed when it starts. */
async function seenWith(authorities: string, port: number): Promise<string> {
  const file = join(fixture.folder, "authorities.pem")
  writeFileSync(file, authorities)
  const pin = toHex(pinOf(fixture.authority.caCertificate))
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: file }
  const run = promisify(execFile)
  const args = [actorFile("first-connection"), "127.0.0.1", String(port), pin]
  return (await run(process.execPath, args, { env })).stdout
}

test("of an authority that this machine trusts by itself, anyone can be a customer: the name counts [W-48]", async () => {
  const elsewhere = await serve(await leaf(OLD_ADDRESS, [serverAuth]))
  const here = await serve(await leaf("127.0.0.1", [serverAuth]))
  const { caCertificate } = fixture.authority
  const other = (await makeAuthority()).caCertificate
  expect(await seenWith(caCertificate, elsewhere)).toContain("for another address")
  expect(await seenWith(`${other}\n${caCertificate}`, elsewhere)).toContain("for another address")
  expect(await seenWith(caCertificate, here)).toBe("online")
  expect(await seenWith(other, elsewhere)).toBe("online")
})
