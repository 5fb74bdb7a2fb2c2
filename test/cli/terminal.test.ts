import { readFileSync } from "node:fs"
import { constants } from "node:os"
import { describe, expect, it } from "vitest"
import { aliceAlone, CliFixture, INIT, paired, PROGRAM, startBroker } from "./cli-fixture.ts"
import { CTRL_C, CTRL_D, DOWN, ENTER, Terminal, WHOLE } from "./terminal.ts"

const alice = ["--profile", "alice"]
const bob = ["--profile", "bob"]
const { SIGHUP } = constants.signals

describe("init at a terminal", () => {
  it("asks for name, passphrase and broker, and shows the next step", async () => {
    const cli = new CliFixture()
    const terminal = new Terminal(cli, ["init"])
    await terminal.shows(/Your name/)
    terminal.type(`alice${ENTER}`)
    await terminal.shows(/Passphrase to lock your keys/)
    terminal.type(`secret words${ENTER}`)
    await terminal.shows(/The same again/)
    terminal.type(`secret sords${ENTER}`)
    await terminal.shows(/not the same; once more.*Passphrase to lock your keys/s)
    terminal.type(`secret words${ENTER}`)
    await terminal.shows(/The same again.*The same again/s)
    terminal.type(`secret words${ENTER}`)
    await terminal.shows(/Where is your broker\?/)
    terminal.type(ENTER)
    await terminal.shows(/no broker is running yet.*mqttchat broker/s)
    expect((await terminal.ended()).exitCode).toBe(0)
    expect(terminal.text).not.toContain("secret words")
    expect(terminal.leftBehind).toEqual(WHOLE)
    expect(await cli.run(["contacts"])).toMatchObject({ code: 64 })
  })

  it("does not call a broker running that still prompts", async () => {
    const cli = new CliFixture()
    const broker = new Terminal(cli, [...alice, "broker"])
    await broker.shows(/Who should reach this broker\?/)
    const asking = await cli.run(INIT)
    expect(asking.stderr).toMatch(/your broker is starting \(process \d+\)/)
    broker.type(CTRL_C)
    await broker.ended()
  })

  it("takes the address of an existing broker", async () => {
    const cli = new CliFixture()
    const terminal = new Terminal(cli, ["init", "--name", "alice", "--no-passphrase"])
    await terminal.shows(/Where is your broker\?/)
    terminal.type(DOWN + ENTER)
    await terminal.shows(/Its address/)
    terminal.type(`pi.example:1884${ENTER}`)
    expect((await terminal.ended()).exitCode).toBe(0)
    expect((await cli.run(["status", "--json"])).stdout).toContain('"broker":"pi.example:1884"')
  })

  it("leaves nothing behind at Ctrl+C, neither a profile nor a broken terminal", async () => {
    const cli = new CliFixture()
    const terminal = new Terminal(cli, ["init"])
    await terminal.shows(/Your name/)
    terminal.type(CTRL_C)
    expect(await terminal.ended()).toMatchObject({ signal: 2 })
    expect(terminal.leftBehind).toEqual(WHOLE)
    expect(await cli.run(["contacts"])).toMatchObject({ code: 78 })
  })
})

describe("pair at two terminals", () => {
  it("makes Bob's identity, compares words on both sides, and opens the chat", async () => {
    const cli = new CliFixture()
    await aliceAlone(cli)
    await startBroker(cli)
    const atAlice = new Terminal(cli, [...alice, "pair"])
    const [, code = ""] = await atAlice.shows(/mqttchat pair (\S+@\S+)/)
    const atBob = new Terminal(cli, [...bob, "pair", code, "--no-passphrase"])
    await atBob.shows(/Your name/)
    atBob.type(`bob${ENTER}`)

    const [, wordsAtBob] = await atBob.shows(/alice says: {2}(.+)/)
    const [, wordsAtAlice] = await atAlice.shows(/bob says: {2}(.+)/)
    expect(wordsAtAlice).toBe(wordsAtBob)
    for (const terminal of [atAlice, atBob]) {
      await terminal.shows(/same four words\?/)
      terminal.type(`y${ENTER}`)
      await terminal.shows(/is VERIFIED/)
      await terminal.shows(/Open the chat now\?/)
      terminal.type(ENTER)
      await terminal.shows(/\/help/)
    }
    atBob.type(`hello from bob${ENTER}`)
    await atAlice.shows(/bob: hello from bob/)
    for (const terminal of [atAlice, atBob]) {
      terminal.type(CTRL_D)
      expect((await terminal.ended()).exitCode).toBe(0)
      expect(terminal.leftBehind).toEqual(WHOLE)
    }
  })

  it.each([
    ["blocks a contact who does not see the same words", "y", 77, /^BLOCKED .* bob$/m],
    ["does not block a contact for an Enter, which is not an answer", "", 0, /^UNVERIFIED .* bob$/m],
  ])("%s", async (_what, differ, code, listed) => {
    const cli = new CliFixture()
    await aliceAlone(cli)
    await startBroker(cli)
    const atAlice = new Terminal(cli, [...alice, "pair"])
    const [, carrier = ""] = await atAlice.shows(/mqttchat pair (\S+@\S+)/)
    await cli.run([...bob, "pair", carrier, "--my-name", "bob", "--no-passphrase"])
    await atAlice.shows(/same four words\?/)
    atAlice.type(ENTER)
    await atAlice.shows(/they differ\?/)
    atAlice.type(`${differ}${ENTER}`)
    expect((await atAlice.ended()).exitCode).toBe(code)
    expect((await cli.run([...alice, "contacts"])).stdout).toMatch(listed)
  })

  it("ends the question about the words when the other side says that they differ [D-141]", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const atAlice = new Terminal(cli, [...alice, "pair"])
    const [, carrier = ""] = await atAlice.shows(/mqttchat pair (\S+@\S+)/)
    const atBob = new Terminal(cli, [...bob, "pair", carrier])
    for (const terminal of [atAlice, atBob]) await terminal.shows(/same four words\?/)
    atBob.type(ENTER)
    await atBob.shows(/they differ\?/)
    atBob.type(`y${ENTER}`)
    await atAlice.shows(/bob says that the words are not the same.*compare again: mqttchat .*verify bob/s)
    expect((await atAlice.ended()).exitCode).toBe(77)
    expect(atAlice.leftBehind).toEqual(WHOLE)
    expect((await cli.run([...alice, "contacts"])).stdout).toMatch(/^UNVERIFIED .* bob$/m)
  })

  it("leaves nothing half-paired at Ctrl+C", async () => {
    const cli = new CliFixture()
    await aliceAlone(cli)
    await startBroker(cli)
    const atAlice = new Terminal(cli, [...alice, "pair"])
    await atAlice.shows(/Waiting/)
    atAlice.type(CTRL_C)
    expect(await atAlice.ended()).toMatchObject({ signal: 2 })
    expect(atAlice.leftBehind).toEqual(WHOLE)
    expect((await cli.run([...alice, "contacts"])).stdout).toBe("")
  })

  it("leaves neither side half-paired at Ctrl+C after an answer either", async () => {
    const cli = new CliFixture()
    await aliceAlone(cli)
    await startBroker(cli)
    const atAlice = new Terminal(cli, [...alice, "pair"])
    const [, carrier = ""] = await atAlice.shows(/mqttchat pair (\S+@\S+)/)
    await cli.run([...bob, "pair", carrier, "--my-name", "bob", "--no-passphrase"])
    await atAlice.shows(/same four words\?/)
    atAlice.type(CTRL_C)
    await atAlice.ended()
    expect(atAlice.leftBehind).toEqual(WHOLE)
    expect((await cli.run([...alice, "contacts"])).stdout).toMatch(/^UNVERIFIED .* bob$/m)
    expect(await cli.run([...alice, "send", "bob", "sorry"])).toMatchObject({ code: 0 })
    expect((await cli.run([...bob, "inbox"])).stdout).toMatch(/ alice: sorry\n$/)
  })

  it("does not leave a contact VERIFIED who is paired again, at No as at Ctrl+C", async () => {
    const cli = new CliFixture()
    await paired(cli)
    for (const ending of [`n${ENTER}`, CTRL_C]) {
      await cli.run([...alice, "verify", "bob", "--yes"])
      expect((await cli.run([...alice, "contacts"])).stdout).toMatch(/^VERIFIED .* bob$/m)
      const atAlice = new Terminal(cli, [...alice, "pair"])
      const [, carrier = ""] = await atAlice.shows(/mqttchat pair (\S+@\S+)/)
      await cli.run([...bob, "pair", carrier])
      await atAlice.shows(/Someone has answered/)
      await atAlice.shows(/same four words\?/)
      atAlice.type(ending)
      if (ending !== CTRL_C) {
        await atAlice.shows(/they differ\?/)
        atAlice.type(`n${ENTER}`)
        await atAlice.shows(/bob is UNVERIFIED/)
      }
      await atAlice.ended()
      expect((await cli.run([...alice, "contacts"])).stdout).toMatch(/^UNVERIFIED .* bob$/m)
    }
  })
})

describe("chat at a terminal", () => {
  it("keeps the typed line whole when a message comes", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const atAlice = new Terminal(cli, [...alice, "chat", "bob"])
    await atAlice.shows(/\/help/)
    atAlice.type("half a sen")
    await atAlice.shows(/> half a sen/)
    await cli.run([...bob, "send", "alice", "look here"])
    await atAlice.shows(/bob: look here\n> half a sen\s*$/)
    atAlice.type(`tence${ENTER}`)
    const inbox = cli.start([...bob, "inbox", "--follow"])
    await inbox.prints(/alice: half a sentence\n/)
    expect(atAlice.text).not.toMatch(/half a senlook|half a sen \d\d:/)
  })

  it("keeps the caret where it was, also in a line that is longer than the screen is wide", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const atAlice = new Terminal(cli, [...alice, "chat", "bob"])
    await atAlice.shows(/\/help/)
    const long = "0123456789".repeat(15)
    atAlice.type(`${long}\u0001\u0006`)
    await atAlice.shows(/0123456789\s*$/)
    await cli.run([...bob, "send", "alice", "look here"])
    await atAlice.shows(/bob: look here\n> 0123456789/)
    atAlice.type(`X${ENTER}`)
    const inbox = cli.start([...bob, "inbox", "--follow"])
    await inbox.prints(new RegExp(`alice: 0X${long.slice(1)}\n`))
    expect(atAlice.text.match(/^> 0/gm)).toHaveLength(1)
  })

  it("turns a paste of three rows into one message, and sends nothing before Enter", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const atAlice = new Terminal(cli, [...alice, "chat", "bob"])
    await atAlice.shows(/\/help/)
    atAlice.type("\u001b[200~one\rtwo\rthree\u001b[201~")
    await atAlice.shows(/three/)
    expect((await cli.run([...alice, "history", "bob"])).stdout).toBe("")
    atAlice.type(ENTER)
    const inbox = cli.start([...bob, "inbox", "--follow"])
    await inbox.prints(/alice: one\n +│ two\n +│ three\n/)
  })

  it("clears the line at Ctrl+C, and ends at the second", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const atAlice = new Terminal(cli, [...alice, "chat", "bob"])
    await atAlice.shows(/\/help/)
    atAlice.type("never mind")
    await atAlice.shows(/never mind/)
    atAlice.type(CTRL_C)
    await atAlice.shows(/>\s*$/)
    atAlice.type(CTRL_C)
    expect(await atAlice.ended()).toMatchObject({ signal: 2 })
    expect(atAlice.leftBehind).toEqual(WHOLE)
    expect((await cli.run([...alice, "history", "bob"])).stdout).toBe("")
  })

  it.each(["SIGTERM", "SIGHUP"] as const)("restores the terminal at %s", async (signal) => {
    const cli = new CliFixture()
    await paired(cli)
    const atAlice = new Terminal(cli, [...alice, "chat", "bob"])
    await atAlice.shows(/\/help/)
    atAlice.kill(signal)
    await atAlice.ended()
    expect(atAlice.leftBehind).toEqual(WHOLE)
  })

  it.each([[], ["--plain"]])("ends by the signal itself when its window is closed %s", async (...plain) => {
    const cli = new CliFixture()
    await paired(cli)
    const atAlice = new Terminal(cli, [...alice, "chat", "bob", ...plain])
    await atAlice.shows(/\/help/)
    atAlice.type("typed and not sent")
    await atAlice.shows(/typed and not sent/)
    atAlice.hangUp()
    expect(await atAlice.ended()).toMatchObject({ signal: SIGHUP })
    expect((await cli.run([...alice, "history", "bob"])).stdout).toBe("")
  })

  it("with --plain changes nothing already on the screen", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const atAlice = new Terminal(cli, [...alice, "chat", "bob", "--plain"])
    await atAlice.shows(/\/help/)
    await cli.run([...bob, "send", "alice", "first"])
    await atAlice.shows(/bob: first\n/)
    atAlice.type("an answer")
    await atAlice.shows(/an answer/)
    await cli.run([...bob, "send", "alice", "second"])
    atAlice.type(ENTER)
    await atAlice.shows(/an answer\n\d\d:\d\d bob: second/)
  })

  it("at a dumb terminal erases, drops the line at Ctrl+C and says so, and leaves at the second", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const dumb = { command: "env", before: ["TERM=dumb", process.execPath, PROGRAM] }
    const atAlice = new Terminal(cli, [...alice, "chat", "bob"], dumb)
    await atAlice.shows(/\/help/)
    atAlice.type("hallo\u007f\u007f\u007f\u007fello")
    await atAlice.shows(/hello/)
    atAlice.type(ENTER)
    await cli.run([...bob, "inbox"])
    atAlice.type("half a line")
    await atAlice.shows(/half a line/)
    atAlice.type(CTRL_D)
    atAlice.type(CTRL_C)
    await atAlice.shows(/the line was dropped; Ctrl\+C again leaves/)
    atAlice.type(CTRL_C)
    expect(await atAlice.ended()).toMatchObject({ signal: 2 })
    expect((await cli.run([...alice, "history", "bob"])).stdout).toMatch(/^\d\d:\d\d me \(\w+\): hello\n$/)
  })

  it("obeys no escape sequence in a stranger's text", async () => {
    const cli = new CliFixture()
    await paired(cli)
    await cli.run([...bob, "send", "alice", "-"], "\u001b[?1049h\u001b[?25l\u001b[?2004hhi\nalice: fake")
    const atAlice = new Terminal(cli, [...alice, "chat", "bob"])
    await atAlice.shows(/␛\[\?1049h.*hi\n +│ alice: fake/)
    expect(atAlice.leftBehind).toMatchObject({ alternateScreen: false, hiddenCursor: false })
  })
})

describe("a terminal whose window is closed", () => {
  it("ends every running command by the signal itself, and loses nothing", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const longRunning = [
      { words: ["init"], shows: /Your name/ },
      { words: [...alice, "wipe"], shows: /Type its name/ },
      { words: [...alice, "daemon"], shows: /daemon running/ },
      { words: [...alice, "pair", "--no-qr"], shows: /mqttchat pair \S+@/ },
      { words: [...bob, "inbox", "--follow"], shows: /first/ },
      { words: [...bob, "chat", "alice"], shows: /\/help/, types: "typed and not sent" },
    ]
    await cli.run([...alice, "send", "bob", "first"])
    for (const { words, shows, types = "" } of longRunning) {
      const terminal = new Terminal(cli, words)
      await terminal.shows(shows)
      terminal.type(types)
      terminal.hangUp()
      expect({ words, ...(await terminal.ended()) }).toMatchObject({ words, signal: SIGHUP })
    }
    await cli.run([...alice, "send", "bob", "second"])
    expect((await cli.run([...bob, "inbox"])).stdout).toMatch(/^\d\d:\d\d alice: second\n$/)
    expect((await cli.run([...bob, "history", "alice"])).stdout).not.toContain("typed")
  })

  it("ends a broker, too", async () => {
    const cli = new CliFixture()
    await aliceAlone(cli)
    const terminal = new Terminal(cli, [...alice, "broker", "--loopback", "--port", "0"])
    await terminal.shows(/Ctrl\+C stops/)
    terminal.hangUp()
    expect(await terminal.ended()).toMatchObject({ signal: SIGHUP })
  })
})

it.skipIf(process.platform !== "linux")("a process would leave no memory in a core dump", async () => {
  const cli = new CliFixture()
  await cli.run(["init", "--name", "x", "--no-passphrase", "--broker", "later"])
  const daemon = cli.start(["daemon"])
  await daemon.prints(/daemon running/)
  const filter = readFileSync(`/proc/${daemon.pid}/coredump_filter`, "latin1")
  expect(Number.parseInt(filter, 16)).toBe(0)
})
