import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { CliFixture, pairAfresh, paired, pairUp, startBroker, aliceAlone } from "./cli-fixture.ts"

const alice = ["--profile", "alice"]
const bob = ["--profile", "bob"]

describe.concurrent("Alice and Bob, each in a separate process", () => {
  it("pair by a spoken code and write both ways", async ({ onTestFinished }) => {
    const cli = new CliFixture(onTestFinished)
    const { words } = await pairAfresh(cli)
    expect(words.split("  ")).toHaveLength(4)

    const inbox = cli.start([...alice, "inbox", "--follow"])
    const sent = await cli.run([...bob, "send", "alice", "hello alice"])
    expect(sent).toMatchObject({ code: 0, stdout: "", stderr: "✓ sent to alice\n" })
    await inbox.prints(/^\d\d:\d\d bob: hello alice\n/m)

    const back = await cli.run([...alice, "send", "bob", "hello bob"])
    expect(back).toMatchObject({ code: 0, stderr: "✓ sent to bob\n" })
    const received = await cli.run([...bob, "inbox"])
    expect(received.stdout).toMatch(/^\d\d:\d\d alice: hello bob\n$/)
    expect((await cli.run([...bob, "inbox"])).stdout).toBe("")
    inbox.kill("SIGINT")
    expect(await inbox.finished()).toMatchObject({ signal: "SIGINT" })
  })

  it("chat through pipes, line by line", async ({ onTestFinished }) => {
    const cli = new CliFixture(onTestFinished)
    await paired(cli)
    const chatA = cli.start([...alice, "chat", "bob"])
    const chatB = cli.start([...bob, "chat", "alice"])
    await chatA.prints(/\/help/)
    await chatB.prints(/\/help/)
    chatA.type("are you there?\n")
    await chatB.prints(/alice: are you there\?/)
    chatB.type("yes\n//etc is a path\n/frobnicate\n")
    await chatA.prints(/bob: yes/)
    await chatA.prints(/bob: \/etc is a path/)
    await chatB.prints(/\/frobnicate is not a command/)
    chatB.type("/quit\n")
    expect(await chatB.finished()).toMatchObject({ code: 0 })
    chatA.endInput()
    const { code, stdout } = await chatA.finished()
    expect(code).toBe(0)
    expect(stdout).not.toContain("frobnicate")
  })

  it("send while a chat is open goes through its owner, and a follower takes over when the owner ends", async ({
    onTestFinished,
  }) => {
    const cli = new CliFixture(onTestFinished)
    await paired(cli)
    const chat = cli.start([...alice, "chat", "bob"])
    await chat.prints(/\/help/)
    const follower = cli.start([...alice, "inbox", "--follow"])
    const viaOwner = await cli.run([...alice, "send", "bob", "through the chat"])
    expect(viaOwner).toMatchObject({ code: 0 })
    await chat.prints(/me \(queued\): through the chat/)

    await cli.run([...bob, "send", "alice", "one"])
    await chat.prints(/bob: one/)
    chat.endInput()
    await chat.finished()
    await cli.run([...bob, "send", "alice", "two"])
    await follower.prints(/bob: two/)
  })

  it("send stores a message while the broker is down and ends with exit 75; the message arrives later", async ({
    onTestFinished,
  }) => {
    const cli = new CliFixture(onTestFinished)
    const { broker } = await paired(cli)
    broker.kill("SIGTERM")
    expect(await broker.finished()).toMatchObject({ signal: "SIGTERM" })
    const sent = await cli.run([...bob, "send", "alice", "for later"])
    expect(sent.code).toBe(75)
    expect(sent.stderr).toMatch(
      /^mqttchat: saved in the outbox, goes out later: the broker at .* is not running/,
    )
    await cli.run([...bob, "send", "alice", "second thoughts", "--no-wait"])
    const status = await cli.run([...bob, "status"])
    expect(status.stdout).toMatch(/^outbox {4}2 not delivered yet, 2 of them not sent$/m)
    const waiting = await cli.run([...bob, "outbox"])
    const [, id = ""] = /^(\S+) .*to alice: second thoughts$/m.exec(waiting.stdout) ?? []
    expect(waiting.stdout).toMatch(/to alice: for later\n +the broker at \S+ is not running: /)
    const back = await cli.run([...bob, "outbox", "--cancel", id])
    expect(back).toMatchObject({ code: 0, stderr: "✓ cancelled before it was sent\n" })

    const again = cli.start([...alice, "broker"])
    await again.prints(/broker running/)
    const inbox = cli.start([...alice, "inbox", "--follow"])
    const chat = cli.start([...bob, "chat", "alice"])
    await inbox.prints(/bob: for later/)
    chat.endInput()
    await chat.finished()
  })

  it("a wrong code is final on both sides, and neither has a new contact", async ({ onTestFinished }) => {
    const cli = new CliFixture(onTestFinished)
    await aliceAlone(cli)
    await startBroker(cli)
    const offer = cli.start([...alice, "pair"])
    const [, nameplate = "", first = "", host = ""] = await offer.prints(/pair (\d+)-(\w+)-\w+(@\S+)/)
    const other = first === "zebra" ? "zoo" : "zebra"
    const wrong = `${nameplate}-${first}-${other}${host}`
    const answer = await cli.run([...bob, "pair", wrong, "--my-name", "bob", "--no-passphrase"])
    const { code, stderr } = await offer.finished()
    expect(answer.code).toBe(77)
    expect(code).toBe(77)
    expect(answer.stderr).toContain("the code did not match")
    expect(stderr).toContain("the code did not match")
    for (const who of [alice, bob]) expect((await cli.run([...who, "contacts"])).stdout).toBe("")
  })

  it("pair again and stay the same contacts", async ({ onTestFinished }) => {
    const cli = new CliFixture(onTestFinished)
    await paired(cli)
    await pairUp(cli, [])
    for (const who of [alice, bob]) {
      expect((await cli.run([...who, "contacts"])).stdout.trim().split("\n")).toHaveLength(1)
    }
  })

  it("pair by link, and by a file that is answered while the owner is offline", async ({
    onTestFinished,
  }) => {
    const cli = new CliFixture(onTestFinished)
    await aliceAlone(cli)
    await startBroker(cli)
    const offer = cli.start([...alice, "pair", "--link"])
    const [, link = ""] = await offer.prints(/mqttchat pair '(mqttchat:\S+)'/)
    const bobDoes = ["--my-name", "bob", "--no-passphrase"]
    expect(await cli.run([...bob, "pair", "-", ...bobDoes], `${link}\n`)).toMatchObject({ code: 0 })
    expect(await offer.finished()).toMatchObject({ code: 0 })

    const file = join(cli.folder, "bundle.txt")
    expect(await cli.run([...alice, "pair", "--file", file])).toMatchObject({ code: 0 })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const carol = ["--profile", "carol"]
    const carolDoes = ["--name", "alice", "--my-name", "carol", "--no-passphrase"]
    const answer = await cli.run([...carol, "pair", file, ...carolDoes])
    expect(answer).toMatchObject({ code: 0 })
    // Nothing is sealed for a device before it has shown its account [D-71].
    const waiting = await cli.run([...carol, "send", "alice", "it is carol"])
    expect(waiting).toMatchObject({ code: 75 })
    expect(waiting.stderr).toContain("alice has not answered the handshake yet")
    const inbox = cli.start([...alice, "inbox", "--follow"])
    const online = cli.start([...carol, "chat", "alice"])
    await inbox.prints(/carol: it is carol/)
    online.kill("SIGTERM")
  })

  it("compare safety numbers, rename, block and forget", async ({ onTestFinished }) => {
    const cli = new CliFixture(onTestFinished)
    const { words } = await paired(cli)
    const seenByAlice = await cli.run([...alice, "verify", "bob"])
    const seenByBob = await cli.run([...bob, "verify", "alice", "--yes"])
    expect(seenByAlice.stdout).toBe(seenByBob.stdout)
    expect(seenByAlice.stdout).toContain(words.replaceAll("  ", " "))
    expect(seenByAlice.stdout.match(/\b\d{5}\b/g)).toHaveLength(12)
    expect(seenByBob.stderr).toContain("alice is VERIFIED")
    expect((await cli.run([...bob, "contacts"])).stdout).toMatch(/^VERIFIED .* alice$/m)

    expect(await cli.run([...bob, "contacts", "rename", "alice", "Alicia"])).toMatchObject({ code: 0 })
    expect(await cli.run([...bob, "contacts", "block", "Alicia"])).toMatchObject({ code: 0 })
    const blocked = await cli.run([...bob, "send", "Alicia", "hi"])
    expect(blocked).toMatchObject({ code: 77 })
    expect(await cli.run([...bob, "contacts", "forget", "Alicia"])).toMatchObject({ code: 64 })
    expect(await cli.run([...bob, "contacts", "forget", "Alicia", "--yes"])).toMatchObject({ code: 0 })
    expect((await cli.run([...bob, "contacts"])).stdout).toBe("")
  })
})

describe("a profile", () => {
  it("keeps no secret where others could read it", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const root = cli.env["MQTTCHAT_HOME"] ?? ""
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      const mode = statSync(join(entry.parentPath, entry.name)).mode & 0o777
      expect(mode & 0o077, entry.name).toBe(0)
    }
    expect(readFileSync(join(root, "alice/settings.json"), "utf8")).not.toMatch(/PRIVATE|passphrase/)
  })

  it("opens with its passphrase only, from a file or a descriptor, and passwd changes it", async () => {
    const cli = new CliFixture()
    const old = join(cli.folder, "old")
    const fresh = join(cli.folder, "fresh")
    writeFileSync(old, "correct horse\n")
    writeFileSync(fresh, "battery staple\n")
    const init = await cli.run(["init", "--name", "a", "--broker", "later", "--passphrase-file", old])
    expect(init).toMatchObject({ code: 0 })
    expect(await cli.run(["contacts"])).toMatchObject({ code: 64 })
    expect(await cli.run(["contacts", "--passphrase-file", fresh])).toMatchObject({ code: 77 })
    expect(await cli.run(["contacts", "--passphrase-fd", "0"], "correct horse\n")).toMatchObject({
      code: 0,
    })
    const change = ["passwd", "--passphrase-file", old, "--new-passphrase-file", fresh]
    expect(await cli.run(change)).toMatchObject({ code: 0 })
    expect(await cli.run(["contacts", "--passphrase-file", old])).toMatchObject({ code: 77 })
    expect(await cli.run(["contacts", "--passphrase-file", fresh])).toMatchObject({ code: 0 })
  })

  it("is made by one of two that begin at once, and the other reports it", async () => {
    const cli = new CliFixture()
    const init = ["init", "--no-passphrase", "--broker", "later"]
    const both = await Promise.all(["one", "two"].map((name) => cli.run([...init, "--name", name])))
    expect(both.map(({ code }) => code).toSorted()).toEqual([0, 73])
    const winner = both.find(({ code }) => code === 0)?.stdout.split(" ")[0]
    expect((await cli.run(["status", "--json"])).stdout).toContain(`"name":"${winner}"`)
  })
})

describe("output", () => {
  it("goes silently to a reader that closes early", async () => {
    const cli = new CliFixture()
    await paired(cli)
    for (const text of ["one", "two"]) await cli.run([...bob, "send", "alice", text])
    const follower = cli.start([...alice, "inbox", "--follow"])
    await follower.prints(/two/)
    follower.closeOutput()
    await cli.run([...bob, "send", "alice", "three"])
    expect(await follower.finished()).toMatchObject({ code: 74, stderr: "" })
  })

  it("is complete when it is long: a megabyte of history through a pipe", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const long = "x".repeat(60_000)
    const send = (id: number): string =>
      JSON.stringify({ jsonrpc: "2.0", id, method: "send", params: { contact: "alice", text: long } })
    const requests = Array.from({ length: 16 }, (_none, id) => `${send(id)}\n`).join("")
    expect(await cli.run([...bob, "daemon", "--stdio"], requests)).toMatchObject({ code: 0 })
    const { stdout, code } = await cli.run([...bob, "--json", "history", "alice"])
    expect(code).toBe(0)
    expect(stdout.length).toBeGreaterThan(16 * 60_000)
    expect(
      stdout
        .trim()
        .split("\n")
        .map((row) => JSON.parse(row) as { schema: string }),
    ).toHaveLength(16)
  })

  it("shows a stranger's escape sequences as pictures, and as escapes in JSON", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const nasty = "\u001b]0;owned\u0007\u009b2J\u202e"
    await cli.run([...bob, "send", "alice", "-"], nasty)
    const inbox = cli.start([...alice, "--json", "inbox", "--follow"])
    await inbox.prints(/owned/)
    inbox.kill("SIGTERM")
    const { stdout } = await inbox.finished()
    expect(stdout).not.toMatch(/[\u001b\u0007\u009b\u202e]/)
    expect((JSON.parse(stdout) as { text: string }).text).toBe(nasty)
    const shown = (await cli.run([...alice, "history", "bob"])).stdout
    expect(shown).toContain("␛]0;owned␇<9B>2J<U+202E>")
    expect(shown).not.toMatch(/[\u001b\u0007\u009b\u202e]/)
  })
})

describe("a broker that is not the one that was pinned", () => {
  it("gets nothing: the message is kept, and the sender gets exit 76", async () => {
    const cli = new CliFixture()
    const { broker } = await paired(cli)
    broker.kill("SIGTERM")
    await broker.finished()
    const descriptor = join(cli.env["MQTTCHAT_HOME"] ?? "", "alice/broker/address.json")
    const { port } = JSON.parse(readFileSync(descriptor, "utf8")) as { port: number }
    const mallory = cli.start(["--profile", "mallory", "broker", "--loopback", "--port", String(port)])
    await mallory.prints(/broker running/)
    const sent = await cli.run([...bob, "send", "alice", "for alice only"])
    expect(sent).toMatchObject({ code: 76, stderr: expect.stringContaining("saved") as string })
    expect(sent.stderr).toContain("saved in the outbox, but the broker at 127.0.0.1")
    expect(sent.stderr).toContain("does not lead to the key you trusted")
    expect((await cli.run([...bob, "history", "alice"])).stdout).toContain("me (queued): for alice only")
  })
})
