import { webcrypto } from "node:crypto"
import * as x509 from "@peculiar/x509"
import { afterEach, beforeEach, expect, test } from "vitest"
import { pinOf } from "../../src/broker/certificates.ts"
import { fromHex } from "../../src/crypto/bytes.ts"
import { newBrokerFixture, type BrokerFixture } from "../broker/broker-fixture.ts"
import { SMALL_ORDER_ED25519 } from "../crypto/published.ts"
import { CONNACK, startScriptedServer } from "./scripted-servers.ts"
import { openTransport } from "./transport-fixture.ts"

const ED25519 = { name: "Ed25519" }
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
const SIGNATURE_BYTES = 64

type Chain = { readonly cert: string; readonly key: string; readonly authority: string }

let fixture: BrokerFixture

beforeEach(async () => {
  fixture = await newBrokerFixture()
})
afterEach(() => fixture.end())

/** A server's P-256 certificate for 127.0.0.1, from an Ed25519 authority whose bytes `alter` may change. */
async function chainOf(alter: (certificate: Uint8Array, key: Uint8Array) => Uint8Array): Promise<Chain> {
  const authority = (await webcrypto.subtle.generateKey(ED25519, true, [
    "sign",
    "verify",
  ])) as webcrypto.CryptoKeyPair
  const server = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"])
  const point = new Uint8Array(await webcrypto.subtle.exportKey("raw", authority.publicKey))
  const common = { issuer: [{ CN: ["broker"] }], signingKey: authority.privateKey, signingAlgorithm: ED25519 }
  const root = await x509.X509CertificateGenerator.create({
    ...common,
    subject: [{ CN: ["broker"] }],
    publicKey: authority.publicKey,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  })
  const leaf = await x509.X509CertificateGenerator.create({
    ...common,
    subject: [{ CN: ["server"] }],
    publicKey: server.publicKey,
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }]),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    ],
  })
  const pem = (made: x509.X509Certificate) =>
    x509.PemConverter.encode(alter(new Uint8Array(made.rawData), point), "CERTIFICATE")
  const key = await webcrypto.subtle.exportKey("pkcs8", server.privateKey)
  return {
    cert: `${pem(leaf)}\n${pem(root)}`,
    key: x509.PemConverter.encode(key, "PRIVATE KEY"),
    authority: pem(root),
  }
}

/** With the point of order one for key and nonce, S = 0 is a signature of anything. */
function forged(certificate: Uint8Array, key: Uint8Array): Uint8Array {
  const one = fromHex(SMALL_ORDER_ED25519[0])
  const bytes = Buffer.from(certificate)
  const at = bytes.indexOf(key)
  if (at !== -1) bytes.set(one, at)
  bytes.fill(0, bytes.length - SIGNATURE_BYTES)
  bytes.set(one, bytes.length - SIGNATURE_BYTES)
  return new Uint8Array(bytes)
}

async function seen({ cert, key, authority }: Chain) {
  const server = fixture.closeAtEnd(await startScriptedServer({ cert, key }, () => CONNACK(0)))
  const client = openTransport({
    address: { host: "127.0.0.1", port: server.port },
    trust: { kind: "pin", pin: pinOf(authority) },
    credential: { kind: "guest" },
    mqttVersion: 4,
  })
  fixture.closeAtEnd(client)
  return Promise.race([client.state("online"), client.state("stopped")])
}

test("a broker of an Ed25519 authority is accepted", async () => {
  expect(await seen(await chainOf((certificate) => certificate))).toMatchObject({ kind: "online" })
})

test("an authority whose Ed25519 key has small order is refused: anyone can sign with it [W-48] [S-1]", async () => {
  expect(await seen(await chainOf(forged))).toMatchObject({
    kind: "stopped",
    why: { code: "protocol", cause: { code: "CERT_UNTRUSTED" } },
  })
})
