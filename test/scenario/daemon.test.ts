import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { eventIs, Peer } from "../daemon/rpc-peer.ts"
import {
  isMessage,
  pairedUsers,
  QUICK_LOCKS,
  QUICK_TIMERS,
  type User,
  schemaIs,
  initHost,
  startBroker,
  ScenarioFixture,
} from "./scenario-fixture.ts"
import { until } from "../until.ts"

const PASSPHRASE = "correct horse"

const socketOf = (user: User): string => user.file("owner.sock")

/** Alice has a broker; Bob's keys have a passphrase, kept in a file. */
async function lockedBob(fixture: ScenarioFixture): Promise<{ alice: User; bob: User; open: string[] }> {
  const [alice, bob] = [fixture.user("alice"), fixture.user("bob")]
  await initHost(alice)
  await startBroker(alice)
  const [bundle, passphrase] = [join(bob.home, "bundle"), join(bob.home, "passphrase")]
  writeFileSync(passphrase, `${PASSPHRASE}\n`, { mode: 0o600 })
  const open = ["--passphrase-file", passphrase]
  await alice.runJson("pair", "--file", bundle)
  const names = ["--my-name", "bob", "--name", "alice"]
  // Alice does not answer while this command waits for her.
  await bob.runJsonWith(
    { ...QUICK_LOCKS, ...QUICK_TIMERS },
    "pair",
    bundle,
    "--timeout",
    "1h",
    ...names,
    ...open,
  )
  // Until she has answered, what he sends waits: he has not seen her account yet.
  await alice.runJson("inbox")
  await bob.runJson("send", "alice", "it is bob", ...open)
  await alice.receiveTexts("it is bob")
  return { alice, bob, open }
}

describe("a daemon", () => {
  it("serves commands, a follower and scripts at the same time, and ends on request", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    const daemon = bob.start(["daemon", "--tcp", "0", "--json"])
    const { socket, tcp, token } = await daemon.waitForOutput(schemaIs("daemon"))
    const follower = bob.start(["inbox", "--follow", "--json"])
    const script = new Peer({ path: String(socket) })
    await script.ask("listen")
    const guest = new Peer(tcp as { host: string; port: number })
    const shown = readFileSync(String(token), "utf8").trim()
    expect(await guest.ask("auth", { token: shown })).toMatchObject({ result: null })

    await alice.runJson("send", "bob", "who is there?")
    await follower.waitForOutput(isMessage("who is there?"))
    await script.waitFor(eventIs("message"))
    const sent = await Promise.all([
      bob.run(["send", "alice", "a command"]),
      script.ask("send", { contact: "alice", text: "a script" }),
      guest.ask("send", { contact: "alice", text: "another", wait: "broker" }),
    ])
    expect(sent).toMatchObject([
      { code: 0, stderr: "✓ sent to alice\n" },
      { result: { state: "queued" } },
      { result: { state: "broker" } },
    ])
    await alice.receiveTexts("a command", "a script", "another")
    expect(await bob.run(["daemon"])).toMatchObject({ code: 73, stdout: "" })
    follower.kill("SIGTERM")
    await follower.finished()
    await bob.runJson("daemon", "stop")
    const ended = await daemon.ended()
    expect(ended).toMatchObject({ code: 0, signal: null })
    expect(`${ended.stdout}${ended.stderr}`).not.toContain(shown)
    expect(await bob.run(["daemon", "status"])).toMatchObject({ code: 69 })
  })

  it("forgets the keys after a long idle time, reports it, and opens again", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { bob, open } = await lockedBob(fixture)
    const daemon = bob.start(["daemon", "--lock-after", "300ms", ...open])
    await daemon.prints(/daemon running/)
    const script = new Peer({ path: socketOf(bob) })
    await script.ask("listen")
    // On a slow machine it may be locked before a client listens, and before this request.
    const opened = await script.ask("unlock", { passphrase: PASSPHRASE })
    const locked = await script.waitForAfter(opened, eventIs("locked"))
    await daemon.prints(/the keys are locked/)
    const connection = { kind: "stopped", code: "locked" }
    expect(await script.ask("status")).toMatchObject({ result: { name: "bob", locked: true, connection } })
    const refusal = { code: "locked", hint: "mqttchat daemon unlock" }
    expect(await script.ask("contacts")).toMatchObject({ error: { data: refusal } })
    expect(await bob.run(["send", "alice", "hello"])).toMatchObject({ code: 77 })
    expect(await script.ask("unlock", { passphrase: PASSPHRASE })).toMatchObject({ result: null })
    await script.waitForAfter(locked, eventIs("unlocked"))
  })

  it("disconnects when a command locks it, and goes on when it is unlocked", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob, open } = await lockedBob(fixture)
    const daemon = bob.start(["daemon", ...open])
    await daemon.prints(/daemon running/)
    await bob.runJson("send", "alice", "I am off")
    const devices = async (): Promise<number> => {
      const [status] = await alice.runJson("broker", "status")
      return (status?.["connections"] as { device: number }).device
    }
    const before = await devices()
    expect(await bob.run(["daemon", "lock"])).toMatchObject({ code: 0, stderr: "✓ the keys are locked\n" })
    await until(async () => (await devices()) === before - 1)
    const locked = await bob.run(["daemon", "status"])
    expect(locked).toMatchObject({ code: 0, stdout: "keys      locked\nlink      the keys are locked\n" })
    expect(locked.stderr).toBe("  → mqttchat daemon unlock\n")
    await alice.runJson("send", "bob", "are you asleep?")

    const wrong = join(bob.home, "wrong")
    writeFileSync(wrong, "incorrect\n")
    expect(await bob.run(["daemon", "unlock", "--passphrase-file", wrong])).toMatchObject({ code: 77 })
    expect(await bob.run(["daemon", "unlock"])).toMatchObject({ code: 64 })
    expect(await bob.run(["daemon", "unlock", ...open])).toMatchObject({ code: 0 })
    await bob.receiveTexts("are you asleep?")
    expect(await bob.run(["send", "alice", "back again"])).toMatchObject({ code: 0 })
  })

  it("does not lock keys that have no passphrase", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const carol = fixture.user("carol")
    await carol.runJson("init", "--name", "carol", "--no-passphrase", "--broker", "later")
    expect(await carol.run(["daemon", "--lock-after", "5m"])).toMatchObject({ code: 78 })
    const daemon = carol.start(["daemon"])
    await daemon.prints(/daemon running/)
    expect(await carol.run(["daemon", "lock"])).toMatchObject({ code: 77 })
  })

  it("serves stdin and stdout until stdin ends, or passes them on to the running daemon", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const carol = fixture.user("carol")
    await carol.runJson("init", "--name", "carol", "--no-passphrase", "--broker", "later")
    const asks = async (): Promise<string> => {
      const piped = carol.start(["daemon", "--stdio"])
      piped.type('{"jsonrpc":"2.0","id":"one","method":"contacts"}\n')
      piped.endInput()
      const { code, stdout } = await piped.finished()
      expect(code).toBe(0)
      return stdout
    }
    const answer = '{"jsonrpc":"2.0","id":"one","result":[]}\n'
    expect(await asks()).toBe(answer)
    const daemon = carol.start(["daemon"])
    await daemon.prints(/daemon running/)
    expect(await asks()).toBe(answer)
  })

  it("is started on demand, stays for the next command, and is not started if it would have to prompt", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    const { bob, open } = await lockedBob(fixture)
    onTestFinished(async () => {
      await bob.run(["daemon", "stop"])
      await fixture.end()
    })
    await bob.runJson("daemon", "--on-demand", "on")
    expect(await bob.run(["send", "alice", "locked"])).toMatchObject({ code: 64 })
    expect(await bob.run(["daemon", "status"])).toMatchObject({ code: 69 })
    await Promise.all([bob.runJson("send", "alice", "one", ...open), bob.runJson("inbox", ...open)])
    // No passphrase is given here: only a daemon that stayed can have done it.
    await bob.runJson("send", "alice", "two")
    await bob.runJson("daemon", "--on-demand", "off")
    await bob.runJson("daemon", "stop")
    expect(await bob.run(["daemon", "status"])).toMatchObject({ code: 69 })
    await bob.runJson("inbox", ...open)
    expect(await bob.run(["daemon", "status"])).toMatchObject({ code: 69 })
  })

  it("ends after a long time without requests and listeners", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const carol = fixture.user("carol")
    await carol.runJson("init", "--name", "carol", "--no-passphrase", "--broker", "later")
    const daemon = carol.start(["daemon", "--end-after", "300ms"])
    await daemon.prints(/daemon running/)
    expect(await daemon.ended()).toMatchObject({ code: 0, signal: null })
  })

  it("opens the keys with the credential from systemd", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const carol = fixture.user("carol")
    const folder = join(carol.home, "credentials")
    mkdirSync(folder)
    const passphrase = join(folder, "mqttchat-passphrase")
    writeFileSync(passphrase, `${PASSPHRASE}\n`, { mode: 0o600 })
    await carol.runJson("--passphrase-file", passphrase, "init", "--name", "carol", "--broker", "later")
    expect(await carol.run(["daemon"])).toMatchObject({ code: 64 })
    const daemon = carol.start(["--no-input", "daemon"], { env: { CREDENTIALS_DIRECTORY: folder } })
    await daemon.prints(/daemon running/)
  })

  it.each(["0.0.0.0:7777", "example.org:7777", "[::]:7777", "7777x", "99999"])(
    "listens on loopback only: --tcp %s is refused",
    async (address) => {
      const fixture = new ScenarioFixture()
      try {
        expect(await fixture.user("carol").run(["daemon", "--tcp", address])).toMatchObject({ code: 64 })
      } finally {
        await fixture.end()
      }
    },
  )
})
