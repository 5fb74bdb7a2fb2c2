import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { type Finished, CliFixture, INIT, paired, PROGRAM, Running, aliceAlone } from "./cli-fixture.ts"

const alice = ["--profile", "alice"] as const
const bob = ["--profile", "bob"] as const
/** Of a few such messages the first fit into a pipe without a reader (64 KiB), and the last do not. */
const LONG_TEXT_BYTES = 60_000
const LONG_TEXTS = 5
/** Only a broker that hangs reaches this. */
const SENT_WITHIN_MS = 60_000

/** Where stdout goes, as a shell writes it; fd 9 is a pipe that has no reader (`withDeadPipe`). */
const FULL = ">/dev/full"
const READER_GONE = ">&9"
const CLOSED = ">&-"

/** Runs a line of a shell in which `mqttchat` is the program. */
async function inShell(cli: CliFixture, line: string): Promise<Finished> {
  const pipe = join(cli.folder, "pipe")
  const script = [
    `mqttchat() { "${process.execPath}" "${PROGRAM}" "$@"; }`,
    // opened for reading once, or opening it for writing would wait for a reader
    `rm -f "${pipe}"; mkfifo "${pipe}"; exec 8<>"${pipe}" 9>"${pipe}" 8<&-`,
    line,
  ].join("\n")
  const running = new Running(spawn("bash", ["-c", script], { env: cli.env, stdio: "pipe" }))
  running.endInput()
  return running.finished()
}

/** A whole line of the shell, with stdout going to `where`. */
async function into(cli: CliFixture, where: string, ...words: readonly string[]): Promise<Finished> {
  return inShell(cli, `mqttchat ${words.map((word) => `'${word}'`).join(" ")} ${where}`)
}

/** Bob's texts, one after the other; the broker has them all. */
async function send(cli: CliFixture, ...texts: readonly string[]): Promise<void> {
  const api = cli.start([...bob, "daemon", "--stdio"])
  for (const [id, text] of texts.entries()) {
    const params = { contact: "alice", text, wait: "broker", timeoutMs: SENT_WITHIN_MS }
    api.type(`${JSON.stringify({ jsonrpc: "2.0", id, method: "send", params })}\n`)
    await api.prints(new RegExp(`"id":${id},"result":.*"state":"(broker|delivered)"`))
  }
  api.endInput()
  expect(await api.finished()).toMatchObject({ code: 0 })
}

async function textsIn(cli: CliFixture, ...words: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await cli.run([...alice, "--json", ...words])
  const rows = stdout.trim().split("\n").filter(Boolean)
  return rows.map((row) => (JSON.parse(row) as { text: string }).text)
}

const PRINTS = [
  ["--help"],
  ["--version"],
  ["send", "--help"],
  ["completion", "bash"],
  [...alice, "status"],
  [...alice, "contacts"],
  [...alice, "--json", "contacts"],
  [...alice, "outbox"],
  [...alice, "history", "bob"],
  [...alice, "search", "hello"],
  [...alice, "verify", "bob"],
  [...alice, "timer", "bob"],
  [...alice, "privacy", "bob"],
  [...alice, "doctor"],
  [...alice, "broker", "status"],
  [...alice, "broker", "users"],
  [...alice, "broker", "log"],
  [...alice, "pair"],
  [...alice, "wipe", "--dry-run"],
  [...alice, "inbox"],
  [...alice, "--json", "inbox"],
  [...alice, "inbox", "--follow"],
  [...alice, "chat", "bob"],
] as const

describe("a command whose job is to print", () => {
  it("ends with 74: with one error line if stdout is full, silently if stdout has no reader", async () => {
    const cli = new CliFixture()
    await paired(cli)
    await cli.run([...alice, "send", "bob", "hello", "--no-wait"])
    await send(cli, "hello")
    expect(await into(cli, FULL, ...alice, "broker", "invite", "carol")).toMatchObject({ code: 74 })
    for (const words of PRINTS) {
      const full = await into(cli, FULL, ...words)
      expect({ words, code: full.code, signal: full.signal }).toEqual({ words, code: 74, signal: null })
      expect(full.stderr).toMatch(/cannot write to stdout: the disk is full/)
      expect(full.stderr.match(/mqttchat: |mqttchat\/error/g)).toHaveLength(1)
      const unread = await into(cli, READER_GONE, ...words)
      expect({ words, code: unread.code }).toEqual({ words, code: 74 })
      expect(unread.stderr).not.toMatch(/bug|cannot|EPIPE/)
    }
  })

  it("ends the same way in a pipeline, with nothing on stderr", async () => {
    const ended = await inShell(new CliFixture(), "set -o pipefail; mqttchat --help 2>&1 >&9 | cat")
    expect(ended).toMatchObject({ code: 74, stdout: "" })
  })

  it("writes a backup to stdout whole, or ends with 74", async () => {
    const cli = new CliFixture()
    await aliceAlone(cli)
    const secret = join(cli.folder, "secret")
    writeFileSync(secret, "a good passphrase")
    const words = [...alice, "export", "-", "--backup-passphrase-file", secret]
    for (const where of [FULL, READER_GONE]) {
      const ended = await into(cli, where, ...words)
      expect(ended.code, ended.stderr).toBe(74)
      expect(ended.stderr).not.toContain("saved")
    }
  })

  it("serves over stdio until its answers are not taken", async () => {
    const cli = new CliFixture()
    await aliceAlone(cli)
    const ask = `echo '{"jsonrpc":"2.0","id":1,"method":"status"}'`
    for (const where of [FULL, READER_GONE]) {
      const ended = await inShell(cli, `${ask} | mqttchat --profile alice daemon --stdio ${where}`)
      expect(ended.code, ended.stderr).toBe(74)
    }
  })
})

describe("a command whose job is something else", () => {
  it.each(["alone", "with a daemon running"])(
    "ends as its work ended, even if stdout failed (%s)",
    async (how) => {
      const cli = new CliFixture()
      await paired(cli)
      if (how !== "alone") await cli.start([...bob, "daemon"]).prints(/daemon running/)
      const streams = [
        FULL,
        READER_GONE,
        CLOSED,
        `${FULL} 2>/dev/full`,
        `${READER_GONE} 2>&9`,
        `${CLOSED} 2>&-`,
      ]
      for (const [index, where] of streams.entries()) {
        const ended = await into(cli, where, ...bob, "--json", "send", "alice", `text ${index}`)
        expect({ where, ...ended }).toMatchObject({ where, code: 0, stdout: "" })
        expect(ended.stderr).not.toMatch(/cannot write|bug/)
      }
      expect(await textsIn(cli, "inbox")).toEqual(streams.map((_where, index) => `text ${index}`))
    },
  )

  it("makes a profile, sets a timer and marks a contact though stdout is full", async () => {
    const cli = new CliFixture()
    expect(await into(cli, FULL, ...INIT.with(1, "carol"))).toMatchObject({ code: 0 })
    await paired(cli)
    expect(await into(cli, FULL, ...alice, "timer", "bob", "1d")).toMatchObject({ code: 0 })
    expect(await into(cli, FULL, ...alice, "verify", "bob", "--yes")).toMatchObject({ code: 0 })
    expect((await cli.run([...alice, "contacts"])).stdout).toContain("VERIFIED")
  })

  it("ends with the fault's own exit code if stderr is full or closed", async () => {
    const cli = new CliFixture()
    for (const where of ["2>/dev/full", "2>&9", "2>&-"])
      expect(await into(cli, where, "sned")).toMatchObject({ code: 64, signal: null })
  })

  it("keeps a broker running whose reader has gone", async () => {
    const cli = new CliFixture()
    await aliceAlone(cli)
    const broker = cli.start([...alice, "--json", "broker", "--loopback", "--port", "0"])
    broker.closeOutput()
    while ((await cli.run([...alice, "broker", "status"])).code !== 0);
    broker.kill("SIGTERM")
    expect(await broker.finished()).toMatchObject({ signal: "SIGTERM", stderr: "" })
  })
})

describe("inbox", () => {
  const KINDS = [
    ["inbox"],
    ["--json", "inbox"],
    ["inbox", "--follow"],
    ["--json", "inbox", "--follow"],
  ] as const

  it.each(["alone", "with a daemon running"])("shows again what stdout did not take (%s)", async (how) => {
    const cli = new CliFixture()
    await paired(cli)
    await send(cli, "kept")
    if (how !== "alone") await cli.start([...alice, "daemon"]).prints(/daemon running/)
    for (const words of KINDS) {
      for (const where of [FULL, READER_GONE])
        expect(await into(cli, where, ...alice, ...words)).toMatchObject({ code: 74 })
    }
    expect(await into(cli, FULL, ...alice, "chat", "bob")).toMatchObject({ code: 74 })
    expect(await textsIn(cli, "inbox")).toEqual(["kept"])
    expect(await textsIn(cli, "inbox")).toEqual([])
  })

  it("marks what went into a pipe before its reader left, and nothing else", async () => {
    const cli = new CliFixture()
    await paired(cli)
    for (const words of [["inbox"], ["--json", "inbox", "--follow"]]) {
      const texts = Array.from({ length: LONG_TEXTS }, (_none, at) => `${at}${"x".repeat(LONG_TEXT_BYTES)}`)
      await send(cli, ...texts)
      const line = `mqttchat ${[...alice, ...words].join(" ")} | head -1 | wc -l; exit "\${PIPESTATUS[0]}"`
      expect(await inShell(cli, line)).toMatchObject({ code: 74, stdout: "1\n", stderr: "" })
      const left = await textsIn(cli, "inbox")
      expect(left).toContain(texts.at(-1))
      expect(left).not.toContain(texts[0])
      expect(left).toEqual(texts.slice(-left.length))
    }
  })

  it("does not count a message of which a file took a part", async () => {
    const cli = new CliFixture()
    await paired(cli)
    // the daemon writes its own files: the limit is the command's
    await cli.start([...alice, "daemon"]).prints(/daemon running/)
    const texts = ["1", "2", "3"].map((name) => name + "x".repeat(3_000))
    await send(cli, ...texts)
    const file = join(cli.folder, "taken")
    const limited = `ulimit -f 8; mqttchat ${alice.join(" ")} inbox > "${file}"`
    expect(await inShell(cli, limited)).toMatchObject({ code: 74 })
    expect(await textsIn(cli, "inbox")).toEqual(texts.slice(2))
  })
})
