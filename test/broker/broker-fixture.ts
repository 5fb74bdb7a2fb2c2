import { randomBytes, type webcrypto } from "node:crypto"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { ConnectionOptions } from "node:tls"
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from "mqtt"
import * as x509 from "@peculiar/x509"
import { type Broker, type BrokerSetup, startBroker } from "../../src/broker/broker.ts"
import { limitsFor } from "../../src/broker/limits/limits.ts"
import { type Authority, makeAuthority, makeServerCertificate } from "../../src/broker/certificates.ts"
import { toBase64url } from "../../src/crypto/bytes.ts"
import { actorFile } from "../actors.ts"

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
const DAY = 24 * 60 * 60 * 1000

/** High enough that no test on loopback reaches a limit by accident. */
export const NO_LIMIT = {
  connectionMaxMs: 900_000,
  connectionsAtOnce: 10_000,
  connectionsPerMinute: 10_000,
  framesPerMinute: 1_000_000,
}

export type Device = { readonly id: string; readonly certificate: string; readonly key: string }

export function newId(): string {
  return toBase64url(randomBytes(16))
}

/** A P-256 client certificate with this common name, from `authority`. */
export async function mint(
  authority: Authority,
  commonName: string,
  usage: string = x509.ExtendedKeyUsage.clientAuth,
  notAfter: Date = new Date(Date.now() + 90 * DAY),
): Promise<Device> {
  return mintFor(await newKeys(), authority, commonName, { usage, notAfter })
}

async function mintMany(authority: Authority, count: number): Promise<Device[]> {
  const keys = await newKeys()
  const terms = { usage: x509.ExtendedKeyUsage.clientAuth, notAfter: new Date(Date.now() + 90 * DAY) }
  return Promise.all(Array.from({ length: count }, () => mintFor(keys, authority, newId(), terms)))
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(P256, true, ["sign", "verify"])
}

async function mintFor(
  keys: webcrypto.CryptoKeyPair,
  authority: Authority,
  commonName: string,
  { usage, notAfter }: { readonly usage: string; readonly notAfter: Date },
): Promise<Device> {
  const caKey = pemBytes(authority.caKey)
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: [commonName] }],
    issuer: new x509.X509Certificate(authority.caCertificate).subject,
    notBefore: new Date(Date.now() - DAY),
    notAfter,
    publicKey: keys.publicKey,
    signingKey: await crypto.subtle.importKey("pkcs8", caKey, P256, false, ["sign"]),
    signingAlgorithm: P256,
    extensions: [new x509.ExtendedKeyUsageExtension([usage])],
  })
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey)
  return {
    id: commonName,
    certificate: certificate.toString("pem"),
    key: x509.PemConverter.encode(key, "PRIVATE KEY"),
  }
}

function pemBytes(pem: string): ArrayBuffer {
  const [bytes] = x509.PemConverter.decode(pem)
  if (bytes === undefined) throw new Error("not PEM")
  return bytes
}

export type BrokerProcess = {
  readonly port: number
  readonly pid: number
  /** All lines that it has printed. */
  readonly output: string[]
  readonly end: (signal: "SIGTERM" | "SIGKILL") => Promise<void>
}

export type SpawnOptions = {
  /** Bounds the size of any file it writes. */
  readonly limitKiB?: number
  /** `shipped` are those in use; others are reached by no test by accident. */
  readonly limits?: "shipped" | "wide"
}

type Closable = { readonly close: () => Promise<void> }

export type BrokerFixture = {
  readonly authority: Authority
  readonly folder: string
  readonly device: (id?: string) => Promise<Device>
  /** This many devices with one key, for tests where the key makes no difference. */
  readonly devices: (count: number) => Promise<Device[]>
  readonly start: (change?: Partial<BrokerSetup>) => Promise<Broker>
  /** The same broker as a separate process. */
  readonly spawn: (port: number, options?: SpawnOptions) => Promise<BrokerProcess>
  /** Closes it at the end as well, the last one first and before the brokers. Gives what it is given. */
  readonly closeAtEnd: <T extends Closable>(it: T) => T
  readonly end: () => Promise<void>
}

/** An authority, a folder for the journal, and brokers that are closed at the end. */
export async function newBrokerFixture(): Promise<BrokerFixture> {
  const authority = await makeAuthority()
  const server = await makeServerCertificate(authority, ["localhost", "127.0.0.1"])
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-broker-"))
  const brokers: Broker[] = []
  const processes: BrokerProcess[] = []
  const others: Closable[] = []
  const files = {
    "server.pem": server.certificate,
    "server-key.pem": server.key,
    "ca.pem": authority.caCertificate,
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 })
  return {
    authority,
    folder,
    device: (id = newId()) => mint(authority, id),
    devices: (count) => mintMany(authority, count),
    start: async (change = {}) => {
      const broker = await startBroker({
        listen: [{ host: "127.0.0.1", port: 0 }],
        ...server,
        ca: authority.caCertificate,
        clientCa: authority.caCertificate,
        journalPath: join(folder, "journal"),
        registrarId: "registrar",
        guestLimits: NO_LIMIT,
        limits: limitsFor(10_000),
        mayConnect: () => true,
        ...change,
      })
      brokers.push(broker)
      return broker
    },
    spawn: async (port, options = {}) => {
      const started = await spawnBroker(folder, port, options)
      processes.push(started)
      return started
    },
    closeAtEnd: (it) => {
      others.push(it)
      return it
    },
    end: async () => {
      for (const it of others.reverse()) await it.close()
      await Promise.all(brokers.map((broker) => broker.close()))
      await Promise.all(processes.map((started) => started.end("SIGKILL")))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function spawnBroker(
  folder: string,
  port: number,
  { limitKiB, limits = "wide" }: SpawnOptions,
): Promise<BrokerProcess> {
  const limit = limitKiB === undefined ? "" : `ulimit -f ${String(limitKiB)}; `
  const command = `${limit}exec "$0" "$@"`
  const args = ["-c", command, process.execPath, actorFile("broker"), folder, String(port), limits]
  const child = spawn("bash", args, {
    stdio: ["pipe", "pipe", "inherit"],
  })
  const output: string[] = []
  const lines = createInterface({ input: child.stdout })
  const first = new Promise<string>((resolve, reject) => {
    lines.once("line", resolve)
    child.once("exit", () => reject(new Error("the broker ended at once")))
  })
  lines.on("line", (line) => output.push(line))
  const bound = Number((await first).split(" ")[1])
  return { port: bound, pid: child.pid ?? 0, output, end: (signal) => endProcess(child, signal) }
}

async function endProcess(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, "exit")
  child.kill(signal)
  await ended
}

export function portOf(broker: Broker): number {
  return broker.ports[0] ?? 0
}

export type Options = IClientOptions & ConnectionOptions

/** How a client connects to the broker: with a device's certificate, or as a guest. */
export function optionsFor(
  fixture: Pick<BrokerFixture, "authority">,
  port: number,
  device?: Device,
): Options {
  return {
    protocol: "mqtts",
    host: "127.0.0.1",
    port,
    ca: fixture.authority.caCertificate,
    ALPNProtocols: ["mqtt"],
    protocolVersion: 4,
    reconnectPeriod: 0,
    clean: device === undefined,
    ...(device === undefined ? {} : { cert: device.certificate, key: device.key, clientId: device.id }),
  }
}

export type TestClient = {
  readonly client: MqttClient
  /** Every message received, as "topic payload". */
  readonly received: string[]
  /** Resolves when `count` messages have been received since the start. */
  readonly waitFor: (count: number) => Promise<string[]>
  readonly closed: Promise<unknown>
}

/** Connects; rejects with the broker's answer if it refused us. */
export async function connect(
  options: Options,
  onPacket: (topic: string, packet: IPublishPacket) => unknown = () => undefined,
): Promise<TestClient> {
  const client = mqtt.connect(options)
  const received: string[] = []
  client.on("message", (topic, payload, packet) => {
    onPacket(topic, packet)
    received.push(`${topic} ${payload.toString()}`)
  })
  const closed = new Promise((resolve) => client.once("close", () => resolve("closed")))
  await new Promise<void>((resolve, reject) => {
    client.once("connect", () => resolve())
    client.once("error", reject)
    client.once("close", () => reject(new Error("closed before CONNACK")))
  })
  client.on("error", () => undefined)
  return {
    client,
    received,
    closed,
    waitFor: async (count) => {
      while (received.length < count) await new Promise<void>((more) => client.once("message", () => more()))
      return received
    },
  }
}
