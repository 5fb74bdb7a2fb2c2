import { spawn, type ChildProcess } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { copyPair, type Finished, PROGRAM, Running, setPort } from "../cli/cli-fixture.ts"
import { CRASH_PROGRAM } from "../actors.ts"
import { DebugWitness } from "../debug-witness.ts"

/** One object that the program printed under --json. */
export type JsonOutput = { readonly schema: string; readonly [field: string]: unknown }

/** How a user's process differs from the default. */
export type RunOptions = {
  /** Added to the environment. */
  readonly env?: NodeJS.ProcessEnv
  /** A command that gets the program as its last arguments, and runs it. */
  readonly wrapper?: readonly string[]
  /** Another build of the program. */
  readonly program?: string
}

const DEFAULT_OPTIONS: RunOptions = {}

/** The process kills itself at this point. */
export function crashAt(point: string): RunOptions {
  return { program: CRASH_PROGRAM, env: { MQTTCHAT_DIE_AT: point } }
}

/** Locks with a passphrase at a cost that tests can pay; every program opens the file at that cost. */
export const QUICK_LOCKS: RunOptions = { program: CRASH_PROGRAM }

/** What takes this process seconds to give up or to try again takes it a tenth. Not where a peer must answer in time. */
export const QUICK_TIMERS: RunOptions = {
  env: { NODE_OPTIONS: `--require ${join(import.meta.dirname, "quick-timers.cjs")}` },
}

/** A message that has not come after so many tries is lost, however slow the machine is. */
const INBOXES_MAX = 500
/** The broker has not brought everything in time. */
const MORE_WAITS = 75

/** Users with a folder each, and every process they started; `end` kills the processes and removes the folders. */
export class ScenarioFixture {
  readonly folder = mkdtempSync(join(tmpdir(), "mqttchat-story-"))
  readonly debug = new DebugWitness(this.folder)
  readonly #running = new Set<Running>()

  /** `home` puts the profile outside the folder of the test. */
  user(name: string, home = join(this.folder, name)): User {
    mkdirSync(home, { recursive: true, mode: 0o700 })
    return new User({ name, home }, this.#running, this.debug)
  }

  readonly end = async (): Promise<void> => {
    await Promise.all([...this.#running].map((running) => running.stop()))
    try {
      await this.debug.check()
    } finally {
      rmSync(this.folder, { recursive: true, force: true })
    }
  }
}

/** A user at a laptop, whose profile no other process of the test uses. */
export class User {
  readonly name: string
  readonly home: string
  readonly #running: Set<Running>
  readonly #debug: DebugWitness

  constructor(
    { name, home }: { readonly name: string; readonly home: string },
    running: Set<Running>,
    debug: DebugWitness,
  ) {
    this.name = name
    this.home = home
    this.#running = running
    this.#debug = debug
  }

  /** A file of this user's profile, such as `messages.db`. */
  file(name: string): string {
    return join(this.home, "default", name)
  }

  /** Runs one command to its end; nothing is typed. */
  async run(args: readonly string[], options = DEFAULT_OPTIONS): Promise<Ended> {
    const running = this.start(args, options)
    running.endInput()
    return running.ended()
  }

  /** Starts a command that keeps running. */
  start(args: readonly string[], options = DEFAULT_OPTIONS): JsonProcess {
    const { PATH, XDG_CACHE_HOME } = process.env
    const env = {
      PATH,
      XDG_CACHE_HOME,
      HOME: this.home,
      MQTTCHAT_HOME: this.home,
      LANG: "C.UTF-8",
      TZ: "UTC",
      ...this.#debug.env,
    }
    const { wrapper = [], program = PROGRAM } = options
    const [command = "", ...others] = [...wrapper, process.execPath, program, ...args]
    const child = spawn(command, others, { env: { ...env, ...options.env }, stdio: "pipe" })
    this.#debug.observe(...args)
    const running = new JsonProcess(child, this.#debug)
    this.#running.add(running)
    void running.finished().then(() => this.#running.delete(running))
    return running
  }

  /** Runs one command that must succeed, and gives what it printed under --json. */
  async runJson(...args: readonly string[]): Promise<readonly JsonOutput[]> {
    return this.runJsonWith(DEFAULT_OPTIONS, ...args)
  }

  async runJsonWith(options: RunOptions, ...args: readonly string[]): Promise<readonly JsonOutput[]> {
    const { code, signal, stderr, output } = await this.run([...args, "--json"], options)
    if (code === 0) return output
    throw new Error(`${this.name}: mqttchat ${args.join(" ")} ended with ${code ?? signal}\n${stderr}`)
  }

  /** What `status` prints, however it ends: its exit code says whether the profile is online. */
  async status(): Promise<JsonOutput> {
    const { code, stderr, output } = await this.run(["status", "--json"])
    const [status] = output
    if (status === undefined) throw new Error(`${this.name}: mqttchat status ended with ${code}\n${stderr}`)
    return status
  }

  /** The texts of a conversation, oldest first, with who wrote each. */
  async history(peer: User): Promise<readonly { readonly mine: unknown; readonly text: unknown }[]> {
    const output = await this.runJson("history", peer.name, "--last", "1000")
    return output.map(({ mine, text }) => ({ mine, text }))
  }

  /** The texts that one `inbox` prints. It waits only a moment: with a slow broker some may be missing. */
  async inbox(): Promise<readonly unknown[]> {
    const { code, stderr, output } = await this.run(["inbox", "--json"])
    if (code === 0 || code === MORE_WAITS) return output.map(({ text }) => text)
    throw new Error(`${this.name}: mqttchat inbox ended with ${code}\n${stderr}`)
  }

  /** The texts that `inbox` prints, repeated until each of these was among them. */
  async receiveTexts(...texts: readonly string[]): Promise<readonly unknown[]> {
    const received: unknown[] = []
    for (let asked = 0; asked < INBOXES_MAX; asked++) {
      received.push(...(await this.inbox()))
      if (texts.every((text) => received.includes(text))) return received
    }
    throw new Error(`${this.name} waits for ${texts.join(", ")} and has ${received.join(", ")}`)
  }
}

/** How a command ended, with what it printed on stdout as objects where it is JSON. */
export type Ended = Finished & { readonly output: readonly JsonOutput[] }

/** A child process whose output is read object by object. */
export class JsonProcess extends Running {
  readonly #output: JsonOutput[] = []
  #changed: () => void = () => undefined
  #change = this.#nextChange()
  #closed = false

  constructor(child: ChildProcess, debug?: DebugWitness) {
    super(child, debug)
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const output = read(line)
        if (output === undefined) return
        this.#output.push(output)
        this.#changed()
      })
    }
    void this.finished().then(() => {
      this.#closed = true
      this.#changed()
    })
  }

  /** The first object that matches, printed before or from now on; fails when the process ends without one. */
  async waitForOutput(fits: (output: JsonOutput) => boolean): Promise<JsonOutput> {
    for (;;) {
      const found = this.#output.find(fits)
      if (found !== undefined) return found
      if (this.#closed) {
        const { stdout, stderr } = await this.finished()
        throw new Error(`the process ended without saying it:\n${stdout}\n${stderr}`)
      }
      await this.#change
    }
  }

  async ended(): Promise<Ended> {
    return { ...(await this.finished()), output: this.#output }
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = () => {
        this.#change = this.#nextChange()
        resolve()
      }
    })
  }
}

function read(line: string): JsonOutput | undefined {
  if (!line.startsWith("{")) return undefined
  try {
    return JSON.parse(line) as JsonOutput
  } catch {
    return undefined
  }
}

export const schemaIs =
  (schema: string) =>
  (output: JsonOutput): boolean =>
    output.schema === `mqttchat/${schema}/1`

export const isMessage =
  (text: string) =>
  (output: JsonOutput): boolean =>
    output.schema === "mqttchat/message/1" && output["text"] === text

/** Makes the profile of the user who runs the broker, without a passphrase. */
export async function initHost(host: User): Promise<void> {
  await host.runJson("init", "--name", host.name, "--no-passphrase", "--broker", "here")
}

/** The host's broker on loopback: on a free port the first time, then on the same. */
export async function startBroker(host: User, again: "first" | "again" = "first"): Promise<JsonProcess> {
  const port = again === "first" ? ["--port", "0"] : []
  const broker = host.start(["broker", "--loopback", ...port, "--json"])
  await broker.waitForOutput(schemaIs("broker"))
  return broker
}

/** Pairs a guest with no profile yet, or with one, by code over the host's broker; gives the words that both saw. */
export async function pair(host: User, guest: User): Promise<readonly unknown[]> {
  const offer = host.start(["pair", "--json", "--no-qr"])
  const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
  const profileFlags = ["--my-name", guest.name, "--no-passphrase"]
  const answer = await guest.runJson("pair", String(carrier), ...profileFlags)
  const paired = await offer.waitForOutput(schemaIs("paired"))
  await offer.finished()
  const words = [paired, answer.find(schemaIs("paired"))].map((output) => JSON.stringify(output?.["words"]))
  if (words[0] !== words[1]) throw new Error(`other words: ${words.join(" and ")}`)
  return paired["words"] as readonly unknown[]
}

/** Alice with a broker of her own, and Bob, paired with her. */
export async function pairedUsers(
  fixture: ScenarioFixture,
): Promise<{ alice: User; bob: User; broker: JsonProcess }> {
  const [alice, bob] = [fixture.user("alice"), fixture.user("bob")]
  await copyPair(alice.file(""), bob.file(""))
  const broker = await startBroker(alice)
  const { port } = await broker.waitForOutput(schemaIs("broker"))
  setPort(bob.file(""), Number(port))
  return { alice, bob, broker }
}
