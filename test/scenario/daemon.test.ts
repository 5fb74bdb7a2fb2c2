import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { eventIs, Peer } from "../daemon/wire.ts"
import { isMessage, neighbours, type Person, schemaIs, settle, startBroker, Story } from "./people.ts"

/** Real processes share two cores with other tests: a ceiling, no verdict on speed. */
const CEILING = { timeout: 180_000 }
const PASSPHRASE = "correct horse"

const socketOf = (person: Person): string => person.file("owner.sock")

/** Alice has a broker; Bob's keys have a passphrase, which lies in a file. */
async function lockedBob(story: Story): Promise<{ alice: Person; bob: Person; open: string[] }> {
  const [alice, bob] = [story.person("alice"), story.person("bob")]
  await settle(alice)
  await startBroker(alice)
  const [bundle, passphrase] = [join(bob.home, "bundle"), join(bob.home, "passphrase")]
  writeFileSync(passphrase, `${PASSPHRASE}\n`, { mode: 0o600 })
  const open = ["--passphrase-file", passphrase]
  await alice.tell("pair", "--file", bundle)
  await bob.tell("pair", bundle, "--my-name", "bob", "--name", "alice", ...open)
  await bob.tell("send", "alice", "it is bob", ...open)
  await alice.receives("it is bob")
  return { alice, bob, open }
}

describe("a daemon", CEILING, () => {
  it("serves commands, a follower and scripts at the same time, and ends when told", async ({
    onTestFinished,
  }) => {
    const story = new Story()
    onTestFinished(story.end)
    const { alice, bob } = await neighbours(story)
    const daemon = bob.start(["daemon", "--tcp", "0", "--json"])
    const { socket, tcp, token } = await daemon.hears(schemaIs("daemon"))
    const follower = bob.start(["inbox", "--follow", "--json"])
    const script = new Peer({ path: String(socket) })
    await script.ask("listen")
    const guest = new Peer(tcp as { host: string; port: number })
    const shown = readFileSync(String(token), "utf8").trim()
    expect(await guest.ask("auth", { token: shown })).toMatchObject({ result: null })

    await alice.tell("send", "bob", "who is there?")
    await follower.hears(isMessage("who is there?"))
    await script.hears(eventIs("message"))
    const sent = await Promise.all([
      bob.run(["send", "alice", "a command"]),
      script.ask("send", { to: "alice", text: "a script" }),
      guest.ask("send", { to: "alice", text: "another", wait: "broker" }),
    ])
    expect(sent).toMatchObject([
      { code: 0, stderr: "✓ sent to alice\n" },
      { result: { state: "queued" } },
      { result: { state: "broker" } },
    ])
    await alice.receives("a command", "a script", "another")
    expect(await bob.run(["daemon"])).toMatchObject({ code: 73, stdout: "" })
    follower.kill("SIGTERM")
    await follower.finished()
    await bob.tell("daemon", "stop")
    const ended = await daemon.ended()
    expect(ended).toMatchObject({ code: 0, signal: null })
    expect(`${ended.stdout}${ended.stderr}`).not.toContain(shown)
    expect(await bob.run(["daemon", "status"])).toMatchObject({ code: 69 })
  })

  it("forgets the keys when nobody has asked for long, says so, and opens again", async ({
    onTestFinished,
  }) => {
    const story = new Story()
    onTestFinished(story.end)
    const { bob, open } = await lockedBob(story)
    const daemon = bob.start(["daemon", "--lock-after", "300ms", ...open])
    await daemon.says(/daemon running/)
    const script = new Peer({ path: socketOf(bob) })
    await script.ask("listen")
    // On a slow machine it may be locked before anybody listens.
    await script.ask("unlock", { passphrase: PASSPHRASE })
    await script.hears(eventIs("locked"))
    await daemon.says(/the keys are locked/)
    const link = { kind: "stopped", code: "locked" }
    expect(await script.ask("status")).toMatchObject({ result: { name: "bob", locked: true, link } })
    const refusal = { code: "locked", hint: "mqttchat daemon unlock" }
    expect(await script.ask("contacts")).toMatchObject({ error: { data: refusal } })
    expect(await bob.run(["send", "alice", "hello"])).toMatchObject({ code: 77 })
    expect(await script.ask("unlock", { passphrase: PASSPHRASE })).toMatchObject({ result: null })
    await script.hears(eventIs("unlocked"))
  })

  it("disconnects when it is locked by a command, and goes on when it is unlocked", async ({
    onTestFinished,
  }) => {
    const story = new Story()
    onTestFinished(story.end)
    const { alice, bob, open } = await lockedBob(story)
    const daemon = bob.start(["daemon", ...open])
    await daemon.says(/daemon running/)
    await bob.tell("send", "alice", "I am off")
    const devices = async (): Promise<number> => {
      const [status] = await alice.tell("broker", "status")
      return (status?.["connections"] as { device: number }).device
    }
    const before = await devices()
    expect(await bob.run(["daemon", "lock"])).toMatchObject({ code: 0, stderr: "✓ the keys are locked\n" })
    while ((await devices()) !== before - 1);
    const locked = await bob.run(["daemon", "status"])
    expect(locked).toMatchObject({ code: 0, stdout: "keys      locked\nlink      the keys are locked\n" })
    expect(locked.stderr).toBe("  → mqttchat daemon unlock\n")
    await alice.tell("send", "bob", "are you asleep?")

    const wrong = join(bob.home, "wrong")
    writeFileSync(wrong, "incorrect\n")
    expect(await bob.run(["daemon", "unlock", "--passphrase-file", wrong])).toMatchObject({ code: 77 })
    expect(await bob.run(["daemon", "unlock"])).toMatchObject({ code: 64 })
    expect(await bob.run(["daemon", "unlock", ...open])).toMatchObject({ code: 0 })
    await bob.receives("are you asleep?")
    expect(await bob.run(["send", "alice", "back again"])).toMatchObject({ code: 0 })
  })

  it("does not lock what no passphrase could open", async ({ onTestFinished }) => {
    const story = new Story()
    onTestFinished(story.end)
    const carol = story.person("carol")
    await carol.tell("init", "--name", "carol", "--no-passphrase", "--broker", "later")
    expect(await carol.run(["daemon", "--lock-after", "5m"])).toMatchObject({ code: 78 })
    const daemon = carol.start(["daemon"])
    await daemon.says(/daemon running/)
    expect(await carol.run(["daemon", "lock"])).toMatchObject({ code: 77 })
  })

  it("serves stdin and stdout until stdin ends, or hands them on to the daemon there is", async ({
    onTestFinished,
  }) => {
    const story = new Story()
    onTestFinished(story.end)
    const carol = story.person("carol")
    await carol.tell("init", "--name", "carol", "--no-passphrase", "--broker", "later")
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
    await daemon.says(/daemon running/)
    expect(await asks()).toBe(answer)
  })

  it("is started on demand, stays for the next command, and not where it would have to ask", async ({
    onTestFinished,
  }) => {
    const story = new Story()
    const { bob, open } = await lockedBob(story)
    onTestFinished(async () => {
      await bob.run(["daemon", "stop"])
      await story.end()
    })
    await bob.tell("daemon", "--on-demand", "on")
    expect(await bob.run(["send", "alice", "locked"])).toMatchObject({ code: 64 })
    expect(await bob.run(["daemon", "status"])).toMatchObject({ code: 69 })
    await Promise.all([bob.tell("send", "alice", "one", ...open), bob.tell("inbox", ...open)])
    // Nobody gives the passphrase: only a daemon that stayed can have done it.
    await bob.tell("send", "alice", "two")
    await bob.tell("daemon", "--on-demand", "off")
    await bob.tell("daemon", "stop")
    expect(await bob.run(["daemon", "status"])).toMatchObject({ code: 69 })
    await bob.tell("inbox", ...open)
    expect(await bob.run(["daemon", "status"])).toMatchObject({ code: 69 })
  })

  it("ends when nobody has asked or listened for long", async ({ onTestFinished }) => {
    const story = new Story()
    onTestFinished(story.end)
    const carol = story.person("carol")
    await carol.tell("init", "--name", "carol", "--no-passphrase", "--broker", "later")
    const daemon = carol.start(["daemon", "--end-after", "300ms"])
    await daemon.says(/daemon running/)
    expect(await daemon.ended()).toMatchObject({ code: 0, signal: null })
  })

  it("opens the keys with what systemd hands it", async ({ onTestFinished }) => {
    const story = new Story()
    onTestFinished(story.end)
    const carol = story.person("carol")
    const folder = join(carol.home, "credentials")
    mkdirSync(folder)
    const passphrase = join(folder, "mqttchat-passphrase")
    writeFileSync(passphrase, `${PASSPHRASE}\n`, { mode: 0o600 })
    await carol.tell("--passphrase-file", passphrase, "init", "--name", "carol", "--broker", "later")
    expect(await carol.run(["daemon"])).toMatchObject({ code: 64 })
    const daemon = carol.start(["--no-input", "daemon"], { env: { CREDENTIALS_DIRECTORY: folder } })
    await daemon.says(/daemon running/)
  })

  it.each(["0.0.0.0:7777", "example.org:7777", "[::]:7777", "7777x", "99999"])(
    "listens to no other machine: --tcp %s is refused",
    async (place) => {
      const story = new Story()
      try {
        expect(await story.person("carol").run(["daemon", "--tcp", place])).toMatchObject({ code: 64 })
      } finally {
        await story.end()
      }
    },
  )
})
