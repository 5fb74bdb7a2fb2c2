import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { type Authority, makeAuthority, makeServerCertificate } from "../src/broker/certificates.ts"
import { DEVICES_ACL, GUESTS_ACL } from "../src/cli/external-brokers/mosquitto/mosquitto-acl.ts"
import { mosquittoConfiguration } from "../src/cli/external-brokers/mosquitto/mosquitto-files.ts"
import { systemRandom } from "../src/crypto/random.ts"
import { openAuthority } from "../src/registrar/authority.ts"

/** Where Debian puts the plugin. */
const MACHINE = process.arch === "arm64" ? "aarch64" : "x86_64"
const DYNAMIC_SECURITY = `/usr/lib/${MACHINE}-linux-gnu/mosquitto_dynamic_security.so`

/** How a Mosquitto admits clients. */
export type MosquittoKind =
  /** As in the files of `mosquitto/`, with a listener for devices and one for guests. */
  | "shipped"
  /** Devices as in the shipped files, with the dynamic-security plugin; its admin (password "secret") on the guests' port, without TLS. */
  | "dynamic"
  /** An external broker: TLS, no accounts, no access list. */
  | "open"
  /** An external broker: user "alice" with password "correct" and "bob" with "horse". */
  | "accounts"
  /** The same accounts on the plain port, without TLS. */
  | "plain"
  /** The plain port, without TLS, accounts or an access list. */
  | "anonymous"

export type Mosquitto = {
  readonly port: number
  readonly pid: number
  /** Only of the shipped files; otherwise the same as `port`. */
  readonly guestPort: number
  readonly authority: Authority
  /** A folder deleted with the broker; it holds ca.crt. */
  readonly folder: string
  /** The lines of its log so far. */
  readonly log: readonly string[]
  /** Ends it as an operator would, or as a power cut would, and starts it again on the same ports and data. */
  readonly restart: (signal: "SIGTERM" | "SIGKILL") => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * Whether Mosquitto is installed, for `describe.skipIf`.
 * @throws Error if it is not, and MQTTCHAT_TEST_REQUIRE=all forbids skipped tests.
 */
export function mosquittoIsMissing(): boolean {
  return isMissing("mosquitto", ["mosquitto", "/usr/sbin/mosquitto"].some(runs))
}

/** The same for mosquitto_pub and mosquitto_sub, which come in a separate package. */
export function mosquittoClientsAreMissing(): boolean {
  const { error } = spawnSync("mosquitto_sub", ["--help"])
  return isMissing("mosquitto-clients", error === undefined)
}

function isMissing(debianPackage: string, found: boolean): boolean {
  if (!found && process.env["MQTTCHAT_TEST_REQUIRE"] === "all") {
    throw new Error(`${debianPackage} is not installed: apt-get install ${debianPackage}`)
  }
  return !found
}

/** Starts one on free loopback ports with a fresh authority (or `authority`), and waits until it listens. */
export async function startMosquitto(kind: MosquittoKind, authority?: Authority): Promise<Mosquitto> {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-mosquitto-"))
  const ca = authority ?? (await makeAuthority())
  const server = await makeServerCertificate(ca, ["localhost", "127.0.0.1"])
  const [port, guestPort] = [await freePort(), await freePort()]
  const put = (name: string, text: string): void => writeFileSync(join(folder, name), text, { mode: 0o600 })
  put("ca.crt", ca.caCertificate)
  put("server.crt", `${server.certificate}\n${ca.caCertificate}`)
  put("server.key", server.key)
  if (kind === "dynamic") {
    const plan = join(folder, "dynamic-security.json")
    execFileSync("mosquitto_ctrl", ["dynsec", "init", plan, "admin", "secret"], { stdio: "ignore" })
  }
  put("crl.pem", await emptyList(ca))
  put("devices.acl", DEVICES_ACL)
  put("guests.acl", GUESTS_ACL)
  if (kind === "accounts" || kind === "plain") put("passwords", passwords(folder))
  put("mosquitto.conf", `${configuration(kind, folder, port, guestPort)}\nuser root\nlog_dest stderr\n`)

  const log: string[] = []
  let running = await run(folder, log)
  const stop = async (signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    const ended = once(running, "exit")
    running.kill(signal)
    await ended
  }
  return {
    port,
    get pid() {
      return running.pid ?? 0
    },
    guestPort: kind === "shipped" || kind === "dynamic" ? guestPort : port,
    authority: ca,
    folder,
    log,
    restart: async (signal) => {
      await stop(signal)
      running = await run(folder, log)
    },
    close: async () => {
      if (running.exitCode === null && running.signalCode === null) await stop("SIGTERM")
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A revocation list without entries. */
async function emptyList(authority: Authority): Promise<string> {
  const { revocationList } = await openAuthority(authority, systemRandom)
  return revocationList([], Date.now())
}

function configuration(kind: MosquittoKind, folder: string, port: number, guestPort: number): string {
  if (kind === "shipped") {
    const own = { folder, data: folder, pidFile: `${folder}/mosquitto.pid`, user: undefined }
    return mosquittoConfiguration({ ...own, listen: "127.0.0.1", port, guestPort })
  }
  if (kind === "dynamic") return dynamicConfiguration(folder, port, guestPort)
  return [
    `listener ${String(port)} 127.0.0.1`,
    ...(kind === "plain" || kind === "anonymous"
      ? []
      : [`certfile ${folder}/server.crt`, `keyfile ${folder}/server.key`]),
    "set_tcp_nodelay true",
    "persistence true",
    `persistence_location ${folder}/`,
    ...(kind === "open" || kind === "anonymous"
      ? ["allow_anonymous true"]
      : [`password_file ${folder}/passwords`]),
  ].join("\n")
}

/** Both listeners share the one plugin, as docs/brokers.md says. */
function dynamicConfiguration(folder: string, port: number, adminPort: number): string {
  return [
    "allow_anonymous false",
    `plugin ${DYNAMIC_SECURITY}`,
    `plugin_opt_config_file ${folder}/dynamic-security.json`,
    `listener ${String(adminPort)} 127.0.0.1`,
    `listener ${String(port)} 127.0.0.1`,
    "tls_version tlsv1.3",
    `cafile ${folder}/ca.crt`,
    `certfile ${folder}/server.crt`,
    `keyfile ${folder}/server.key`,
    `crlfile ${folder}/crl.pem`,
    "require_certificate true",
    "use_identity_as_username true",
    "use_username_as_clientid true",
    "retain_available false",
    "max_packet_size 66560",
    "set_tcp_nodelay true",
  ].join("\n")
}

function passwords(folder: string): string {
  const path = join(folder, "passwords")
  writeFileSync(path, "alice:correct\nbob:horse\n", { mode: 0o600 })
  execFileSync("mosquitto_passwd", ["-U", path])
  return readFileSync(path, "utf8")
}

async function run(folder: string, log: string[]): Promise<ChildProcess> {
  const command = runs("mosquitto") ? "mosquitto" : "/usr/sbin/mosquitto"
  const child = spawn(command, ["-c", join(folder, "mosquitto.conf")], {
    stdio: ["ignore", "inherit", "pipe"],
  })
  process.once("exit", () => child.kill("SIGKILL"))
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      log.push(line)
      if (line.endsWith(" running")) resolve()
    })
    child.once("error", reject)
    child.once("exit", () => reject(new Error(`Mosquitto ended at once:\n${log.join("\n")}`)))
  })
  return child
}

/** `-h` prints the version and exits with 3. */
function runs(command: string): boolean {
  try {
    execFileSync(command, ["-h"], { stdio: "pipe" })
    return true
  } catch (error) {
    return error instanceof Error && "status" in error && error.status === 3
  }
}

/**
 * Ports that a program opens later lie below those that the system gives to connections (32768 on Linux), or a connection
 * of another test could take one first. Each worker of a run has a range of its own.
 */
const PORTS = { first: 18_000, each: 1_000, ranges: 14 } as const
const range = (Number(process.env["VITEST_POOL_ID"] ?? 0) % PORTS.ranges) * PORTS.each + PORTS.first
let nextPort = Math.floor(performance.timeOrigin) % PORTS.each

/** A port on loopback that no server uses. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < PORTS.each; tried++) {
    nextPort = (nextPort + 1) % PORTS.each
    if (await isFree(range + nextPort)) return range + nextPort
  }
  throw new Error("no port is free")
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1")
  try {
    await once(server, "listening")
  } catch {
    return false
  }
  await new Promise((closed) => server.close(closed))
  return true
}
