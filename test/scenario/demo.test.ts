import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test, type TestContext } from "vitest"
import { Running } from "../cli/cli-fixture.ts"

const ROOT = join(import.meta.dirname, "../..")
const MARK = "MQTTCHAT_TEST_MARK"
/** The state of a listening socket in /proc/net/tcp, see proc(5). */
const LISTENING = "0A"

/** The processes that one demo starts, identified by their environment. */
class Demo {
  readonly temp = mkdtempSync(join(tmpdir(), "mqttchat-demo-test-"))
  readonly shown: Running
  readonly #mark = `${MARK}=${randomUUID()}`

  constructor({ onTestFinished }: TestContext, ...args: readonly string[]) {
    this.shown = this.#start("npm", ["run", "demo", ...args])
    onTestFinished(async () => {
      for (const pid of this.processes()) process.kill(Number(pid), "SIGKILL")
      await this.shown.finished()
      rmSync(this.temp, { recursive: true, force: true })
    })
  }

  /** Runs a line as if it were pasted into a shell. */
  paste(line: string): Running {
    return this.#start("sh", ["-c", line])
  }

  /** Signals the whole foreground, as Ctrl+C does. */
  interrupt(): void {
    process.kill(-this.shown.pid, "SIGINT")
  }

  /** The processes of this machine that belong to it. */
  processes(): readonly string[] {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && environment(name).includes(this.#mark))
  }

  left(): readonly string[] {
    return [...this.processes(), ...readdirSync(this.temp)]
  }

  #start(command: string, args: readonly string[]): Running {
    const [name = "", value = ""] = this.#mark.split("=")
    const env = { ...process.env, TMPDIR: this.temp, [name]: value }
    return new Running(spawn(command, args, { cwd: ROOT, env, stdio: "pipe", detached: true }))
  }
}

/** Empty for a process that has just ended or is not ours. */
function environment(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0")
  } catch {
    return []
  }
}

function listens(port: number): boolean {
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1)
  return rows
    .map((line) => line.trim().split(/\s+/))
    .some(
      ([, local = "", , state]) => state === LISTENING && parseInt(local.split(":")[1] ?? "", 16) === port,
    )
}

/** The columns of a block: what was typed, what the broker saw, what was read. */
function columns(stdout: string): readonly (readonly string[])[] {
  return stdout
    .split("\n")
    .filter((line) => line.length > 48)
    .map((line) => [line.slice(0, 24), line.slice(24, 58), line.slice(58)].map((cell) => cell.trim()))
}

describe("the demo", () => {
  test.concurrent(
    "shows what was typed, seen and read on 80 columns, and leaves nothing",
    async (context) => {
      const demo = new Demo(context)
      const [, port = ""] = await demo.shown.prints(/mqtts:\/\/127\.0\.0\.1:(\d+)/)
      expect(listens(Number(port))).toBe(true)
      expect(demo.processes().length).toBeGreaterThan(1)
      const { code, stdout, stderr } = await demo.shown.finished()
      expect({ code, stderr }).toMatchObject({ code: 0 })
      expect(listens(Number(port))).toBe(false)
      expect(demo.left()).toEqual([])

      const cells = columns(stdout)
      expect(cells).toContainEqual(["alice typed", "the broker saw", "bob read"])
      expect(cells).toContainEqual([
        "did the pi come up?",
        expect.stringMatching(/^→ mc\/1\/i\/[\w-]{22}\/$/) as string,
        "did the pi come up?",
      ])
      expect(cells.map(([, seen]) => seen).join()).not.toContain("pi come up")
      expect(stdout.match(/256 bytes [\w+/]+…/g)).toHaveLength(6)
      expect(stdout).toContain("What next")
      for (const line of stdout.split("\n").filter((text) => !text.startsWith(">")))
        expect(line.length, line).toBeLessThanOrEqual(80)
    },
  )

  test.concurrent("leaves its broker to two users at two terminals, until Ctrl+C", async (context) => {
    const demo = new Demo(context, "--", "--interactive")
    const [, forAlice = "", forBob = ""] = await demo.shown.prints(
      /^ {2}(.+ chat bob)\n {2}(.+ chat alice)$/m,
    )
    const [, port = ""] = await demo.shown.prints(/127\.0\.0\.1:(\d+)/)
    const [alice, bob] = [demo.paste(forAlice), demo.paste(forBob)]
    await bob.prints(/\/help/)
    alice.type("is this you?\n")
    await bob.prints(/alice: is this you\?/)
    for (const user of [alice, bob]) {
      user.endInput()
      expect(await user.finished()).toMatchObject({ code: 0 })
    }
    expect(listens(Number(port))).toBe(true)
    demo.interrupt()
    await demo.shown.finished()
    expect(listens(Number(port))).toBe(false)
    expect(demo.left()).toEqual([])
  })
})
