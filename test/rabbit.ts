import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { type Authority, makeAuthority, makeServerCertificate } from "../src/broker/certificates.ts"
import { PLUGINS, rabbitmqConfiguration } from "../src/cli/external-brokers/rabbitmq/rabbitmq-files.ts"
import { type KnownDevices } from "../src/registrar/rabbitmq-acl.ts"
import { startRabbitAuthServer } from "../src/registrar/rabbitmq-auth-http.ts"
import { freePort } from "./mosquitto.ts"

const SHIPPED = join(import.meta.dirname, "..", "rabbitmq")
/** Debian's wrapper in /usr/sbin would become another user and use the system's folders. */
const PROGRAMS = "/usr/lib/rabbitmq/bin"
const BOOTED = /completed with \d+ plugins/

/** A node of RabbitMQ with the files that we ship, on its own ports and in its own folders. */
export type Rabbit = {
  readonly port: number
  readonly authority: Authority
  readonly log: readonly string[]
  /** Runs `rabbitmqctl` with these arguments, as an operator would. */
  readonly control: (...args: readonly string[]) => string
  /** Ends it as a power cut would, or as an operator would, and starts it again. */
  readonly restart: (signal: "SIGTERM" | "SIGKILL") => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * Whether RabbitMQ is installed, for `describe.skipIf`.
 * @throws Error if it is not, and MQTTCHAT_TEST_REQUIRE=all forbids skipped tests.
 */
export function rabbitIsMissing(): boolean {
  try {
    readFileSync(join(PROGRAMS, "rabbitmq-server"))
    return false
  } catch {
    if (process.env["MQTTCHAT_TEST_REQUIRE"] !== "all") return true
    throw new Error("RabbitMQ is not installed: apt-get install rabbitmq-server")
  }
}

/** Reserves ports for the nodes, so that nothing else uses them meanwhile. */
export type Epmd = {
  readonly folder: string
  readonly epmdPort: number
  readonly close: () => Promise<void>
}

/** A separate folder and name server (epmd) for nodes that find one another. */
export async function startEpmd(): Promise<Epmd> {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-rabbit-"))
  const epmdPort = await freePort()
  const epmd = spawn("epmd", ["-port", String(epmdPort), "-address", "127.0.0.1"], { stdio: "ignore" })
  const kill = (): unknown => epmd.kill("SIGKILL")
  process.once("exit", kill)
  return {
    folder,
    epmdPort,
    close: async () => {
      process.off("exit", kill)
      const ended = once(epmd, "exit")
      kill()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export type RabbitSetup = {
  readonly authority: Authority
  /** The port of the registrar's auth backend. */
  readonly authPort: number
  /** The names of all nodes of a cluster, this one included. */
  readonly cluster?: readonly string[]
}

/** Starts a node called `name`, and waits until it accepts clients. */
export async function startRabbit(
  epmd: Epmd,
  name: string,
  { authority, authPort, cluster = [] }: RabbitSetup,
): Promise<Rabbit> {
  const nodeFolder = join(epmd.folder, name)
  mkdirSync(nodeFolder, { mode: 0o700 })
  const [port, distPort] = [await freePort(), await freePort()]
  const server = await makeServerCertificate(authority, ["localhost", "127.0.0.1"])
  const put = (file: string, text: string): void =>
    writeFileSync(join(nodeFolder, file), text, { mode: 0o600 })
  put("ca.crt", authority.caCertificate)
  put("server.crt", `${server.certificate}\n${authority.caCertificate}`)
  put("server.key", server.key)
  put(".erlang.cookie", "mqttchat")
  execFileSync("chmod", ["400", join(nodeFolder, ".erlang.cookie")])
  put("enabled_plugins", PLUGINS)
  const toConsole = "log.console = true\nlog.file = false"
  const options = { folder: nodeFolder, listen: "127.0.0.1", port, registrarPort: authPort }
  put("rabbitmq.conf", [rabbitmqConfiguration(options), toConsole, ...clustered(cluster)].join("\n"))
  const env = environment(epmd, name, distPort)
  const log: string[] = []
  let running = await boot(env, log)
  const end = async (signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    if (running.exitCode !== null || running.signalCode !== null) return
    const ended = once(running, "exit")
    stop(running, signal)
    await ended
  }
  return {
    port,
    authority,
    log,
    control: (...args) => execFileSync(join(PROGRAMS, "rabbitmqctl"), args, { env, encoding: "utf8" }),
    restart: async (signal) => {
      await end(signal)
      running = await boot(env, log)
    },
    close: () => end("SIGKILL"),
  }
}

/** As docs/scale-out.md says. */
function clustered(nodes: readonly string[]): string[] {
  if (nodes.length === 0) return []
  return [
    readFileSync(join(SHIPPED, "cluster.conf"), "utf8"),
    "cluster_formation.peer_discovery_backend = classic_config",
    ...nodes.map(
      (node, at) => `cluster_formation.classic_config.nodes.${String(at + 1)} = ${node}@localhost`,
    ),
    "",
  ]
}

function environment({ folder, epmdPort }: Epmd, name: string, distPort: number): NodeJS.ProcessEnv {
  const nodeFolder = join(folder, name)
  return {
    PATH: process.env["PATH"],
    HOME: nodeFolder,
    LANG: "C.UTF-8",
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    RABBITMQ_NODENAME: `${name}@localhost`,
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_MNESIA_BASE: join(nodeFolder, "mnesia"),
    RABBITMQ_LOG_BASE: join(nodeFolder, "log"),
    RABBITMQ_PID_FILE: join(nodeFolder, "pid"),
    RABBITMQ_CONFIG_FILE: join(nodeFolder, "rabbitmq.conf"),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(nodeFolder, "none.config"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(nodeFolder, "enabled_plugins"),
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
    // spinning schedulers would slow a busy machine with two cores
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+S 2:2 +sbwt none",
  }
}

/** Runs in a separate process group: the script starts Erlang, which starts helpers. */
async function boot(env: NodeJS.ProcessEnv, log: string[]): Promise<ChildProcess> {
  const child = spawn(join(PROGRAMS, "rabbitmq-server"), {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  })
  process.once("exit", () => stop(child, "SIGKILL"))
  await new Promise<void>((resolve, reject) => {
    const onLine = (line: string): void => {
      log.push(line)
      if (BOOTED.test(line)) resolve()
    }
    for (const output of [child.stdout, child.stderr]) createInterface({ input: output }).on("line", onLine)
    child.once("error", reject)
    child.once("exit", () => reject(new Error(`RabbitMQ ended at once:\n${log.slice(-40).join("\n")}`)))
  })
  return child
}

function stop({ pid }: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // it has already ended
  }
}

export type RabbitWithAuth = Rabbit & { readonly devices: Set<string>; readonly revoked: Set<string> }

/** One node with a registrar's auth backend that admits `devices` and refuses `revoked`. */
export async function startSingleRabbit(): Promise<RabbitWithAuth> {
  const authority = await makeAuthority()
  const [devices, revoked] = [new Set<string>(), new Set<string>()]
  const known: KnownDevices = { isDevice: (id) => devices.has(id), mayConnect: (id) => !revoked.has(id) }
  const authServer = await startRabbitAuthServer(0, known)
  const epmd = await startEpmd()
  const rabbit = await startRabbit(epmd, "rabbit", { authority, authPort: authServer.port })
  return {
    ...rabbit,
    devices,
    revoked,
    close: async () => {
      await rabbit.close()
      await epmd.close()
      await authServer.close()
    },
  }
}
