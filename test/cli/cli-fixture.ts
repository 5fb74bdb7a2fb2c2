import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { template } from "../template.ts"
import { DebugWitness } from "../debug-witness.ts"

/** Tests run the program as it is shipped; another build can be named. */
export const PROGRAM = process.env["MQTTCHAT_PROGRAM"] ?? join(import.meta.dirname, "../../dist/mqttchat.cjs")

export type Finished = {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** One folder for all profiles of a test; deleted when the test ends. */
export class CliFixture {
  readonly folder = mkdtempSync(join(tmpdir(), "mqttchat-cli-"))
  /** Added to the environment of the next commands. */
  more: NodeJS.ProcessEnv = {}
  readonly debug = new DebugWitness(this.folder)
  readonly #running = new Set<Running>()

  constructor(atEnd: (clear: () => Promise<void>) => void = onTestFinished) {
    atEnd(async () => {
      await Promise.all([...this.#running].map((running) => running.stop()))
      try {
        await this.debug.check()
      } finally {
        rmSync(this.folder, { recursive: true, force: true })
      }
    })
  }

  get env(): NodeJS.ProcessEnv {
    const { PATH, XDG_CACHE_HOME } = process.env
    return {
      PATH,
      XDG_CACHE_HOME,
      HOME: this.folder,
      MQTTCHAT_HOME: join(this.folder, "home"),
      LANG: "C.UTF-8",
      TZ: "UTC",
      ...this.debug.env,
      ...this.more,
    }
  }

  /** Runs one command to its end. */
  async run(args: readonly string[], stdin: string | Uint8Array = ""): Promise<Finished> {
    const running = this.start(args)
    running.type(stdin)
    running.endInput()
    return running.finished()
  }

  /** Starts a command that keeps running. */
  start(args: readonly string[]): Running {
    const child = spawn(process.execPath, [PROGRAM, ...args], { env: this.env, stdio: "pipe" })
    const running = new Running(child, this.debug)
    this.debug.observe(...args)
    this.#running.add(running)
    void running.finished().then(() => this.#running.delete(running))
    return running
  }
}

/** A child process whose output a test waits for. */
export class Running {
  readonly #child: ChildProcess
  readonly #debug: DebugWitness | undefined
  readonly #ended: Promise<unknown>
  #stdout = ""
  #stderr = ""
  #changed: () => void = () => undefined

  constructor(child: ChildProcess, debug?: DebugWitness) {
    this.#child = child
    this.#debug = debug
    this.#ended = once(child, "close").then(() => debug?.observe(this.#stdout))
    child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#append(() => (this.#stdout += text)))
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#append(() => (this.#stderr += text)))
    // a child may end before it has read all we write
    child.stdin?.on("error", () => undefined)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** The match, as soon as stdout or stderr holds it; fails when the process ends without one. */
  async prints(wanted: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = wanted.exec(this.#stdout) ?? wanted.exec(this.#stderr)
      if (found !== null) return found
      const more = new Promise<"more">((resolve) => (this.#changed = () => resolve("more")))
      if ((await Promise.race([more, this.#ended])) === "more") continue
      const last = wanted.exec(this.#stdout) ?? wanted.exec(this.#stderr)
      if (last !== null) return last
      throw new Error(`the process ended without saying ${wanted}:\n${this.#stdout}\n${this.#stderr}`)
    }
  }

  type(text: string | Uint8Array): void {
    this.#debug?.observe(Buffer.from(text).toString("latin1"))
    this.#child.stdin?.write(text)
  }

  endInput(): void {
    this.#child.stdin?.end()
  }

  /** Closes stdout as `head` does when it has enough. */
  closeOutput(): void {
    this.#child.stdout?.destroy()
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async finished(): Promise<Finished> {
    await this.#ended
    const { exitCode: code, signalCode: signal } = this.#child
    return { code, signal, stdout: this.#stdout, stderr: this.#stderr }
  }

  async stop(): Promise<void> {
    this.kill("SIGKILL")
    await this.#ended
  }

  #append(append: () => void): void {
    append()
    this.#changed()
  }
}

/** Makes the profile `alice`, whose broker is on this machine. */
export const INIT = ["--profile", "alice", "init", "--name", "alice", "--no-passphrase", "--broker", "here"]

/** A broker on a free loopback port, in the profile `alice`. */
export async function startBroker(cli: CliFixture): Promise<Running> {
  const broker = cli.start(["--profile", "alice", "broker", "--loopback", "--port", "0"])
  await broker.prints(/broker running/)
  return broker
}

/** Alice and Bob, paired by code over Alice's broker. */
export async function pairAfresh(cli: CliFixture): Promise<{ broker: Running; words: string }> {
  await cli.run(INIT)
  const broker = await startBroker(cli)
  const words = await pairUp(cli, ["--my-name", "bob", "--no-passphrase"])
  return { broker, words }
}

/** Alice and Bob as `pairAfresh` leaves them, from the template. */
export async function paired(cli: CliFixture): Promise<{ broker: Running; words: string }> {
  const home = join(cli.folder, "home")
  const words = await copyPair(join(home, "alice"), join(home, "bob"))
  const broker = await startBroker(cli)
  const [, port] = await broker.prints(/127\.0\.0\.1:(\d+)/)
  setPort(join(home, "bob"), Number(port))
  return { broker, words }
}

/** Copies Alice, whose broker is on her machine, and Bob, who has paired with her; gives the words that both saw. */
export async function copyPair(alice: string, bob: string): Promise<string> {
  const pair = await template("pair", makePair)
  cpSync(join(pair, "alice"), alice, { recursive: true })
  cpSync(join(pair, "bob"), bob, { recursive: true })
  return readFileSync(join(pair, "words"), "utf8")
}

/** Gives a test the profiles that `make` leaves, which makes them once in a run. */
export async function copyHome(
  cli: CliFixture,
  name: string,
  make: (cli: CliFixture) => Promise<unknown>,
): Promise<void> {
  const home = await template(name, (folder) =>
    inFixture(async (fixture) => {
      await make(fixture)
      cpSync(join(fixture.folder, "home"), folder, { recursive: true })
    }),
  )
  cpSync(home, join(cli.folder, "home"), { recursive: true })
}

/** Alice alone, as INIT makes her. */
export function aliceAlone(cli: CliFixture): Promise<void> {
  return copyHome(cli, "alice", (fixture) => fixture.run(INIT))
}

/** Runs what makes a template, and removes the rest. */
async function inFixture(run: (cli: CliFixture) => Promise<void>): Promise<void> {
  const ends: (() => Promise<void>)[] = []
  const cli = new CliFixture((end) => ends.push(end))
  try {
    await run(cli)
  } finally {
    for (const end of ends) await end()
  }
}

/** Sets a copied profile to the port that this test's broker listens on. */
export function setPort(profile: string, port: number): void {
  const path = join(profile, "settings.json")
  const settings = JSON.parse(readFileSync(path, "utf8")) as { readonly broker: object }
  writeFileSync(path, JSON.stringify({ ...settings, broker: { ...settings.broker, port } }))
}

function makePair(folder: string): Promise<void> {
  return inFixture(async (cli) => {
    const { broker, words } = await pairAfresh(cli)
    broker.kill("SIGTERM")
    await broker.finished()
    for (const name of ["alice", "bob"]) {
      renameSync(join(cli.folder, "home", name), join(folder, name))
    }
    writeFileSync(join(folder, "words"), words)
  })
}

/** Pairs Bob with Alice and gives the four words that both saw. */
export async function pairUp(cli: CliFixture, bobSends: readonly string[]): Promise<string> {
  const offer = cli.start(["--profile", "alice", "pair"])
  const [, code = ""] = await offer.prints(/mqttchat pair (\S+@\S+)\n/)
  const answer = await cli.run(["--profile", "bob", "pair", code, ...bobSends])
  const [, words = ""] = await offer.prints(/bob says: {2}(.+)\n/)
  await offer.finished()
  if (!answer.stdout.includes(`alice says:  ${words}`))
    throw new Error(`other words:\n${answer.stdout}\n${answer.stderr}`)
  return words
}
