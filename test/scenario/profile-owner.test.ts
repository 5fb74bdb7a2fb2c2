import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import {
  isMessage,
  pairedUsers,
  QUICK_LOCKS,
  QUICK_TIMERS,
  type User,
  initHost,
  startBroker,
  ScenarioFixture,
  type JsonProcess,
} from "./scenario-fixture.ts"

const TEXTS = ["one", "two", "three", "four", "five"]

describe.concurrent("several processes on one profile", () => {
  it("send at once: all messages arrive, each once", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    const follower = bob.start(["inbox", "--follow", "--json"])
    const sent = await Promise.all(TEXTS.map((text) => alice.run(["send", "bob", text])))
    expect(sent.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      TEXTS.map(() => ({ code: 0, stderr: "✓ sent to bob\n" })),
    )
    for (const text of TEXTS) await follower.waitForOutput(isMessage(text))
    const received = await bob.history(alice)
    expect(received.map(({ text }) => text).toSorted()).toEqual(TEXTS.toSorted())
    expect(await alice.history(bob)).toEqual(received.map(({ text }) => ({ mine: true, text })))
    follower.kill("SIGTERM")
    const { output } = await follower.ended()
    expect(output.map(({ text }) => text)).toEqual(received.map(({ text }) => text))
  })

  it.each([
    ["chat", "alice"],
    ["inbox", "--follow"],
  ])("pass their requests to the one that has it open: %s %s", async (...staying) => {
    const fixture = new ScenarioFixture()
    try {
      const { alice, bob, open } = await lockedBob(fixture)
      const owner = bob.start([...staying, ...open])
      await alice.runJson("send", "bob", "are you there?")
      await owner.prints(/alice: are you there\?/)
      // Bob is not asked for the passphrase: only the process that has the profile open can have done it.
      const sent = await Promise.all(TEXTS.map((text) => bob.run(["send", "alice", text])))
      expect(sent.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
        TEXTS.map(() => ({ code: 0, stderr: "✓ sent to alice\n" })),
      )
      expect((await alice.receiveTexts(...TEXTS)).toSorted()).toEqual(TEXTS.toSorted())
      await end(owner)
      expect(await bob.run(["send", "alice", "nobody has it open"])).toMatchObject({ code: 64 })
    } finally {
      await fixture.end()
    }
  })

  it("go on after one was killed", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    const owner = bob.start(["inbox", "--follow"])
    await alice.runJson("send", "bob", "are you there?")
    await owner.prints(/alice: are you there\?/)
    await owner.stop()
    const sent = await Promise.all(TEXTS.map((text) => bob.run(["send", "alice", text])))
    expect(sent.map(({ code }) => code)).toEqual(TEXTS.map(() => 0))
    expect((await alice.receiveTexts(...TEXTS)).toSorted()).toEqual(TEXTS.toSorted())
  })
})

type PairedUsers = { readonly alice: User; readonly bob: User; readonly open: readonly string[] }

/** Bob's keys are locked; `open` unlocks them. */
async function lockedBob(fixture: ScenarioFixture): Promise<PairedUsers> {
  const [alice, bob] = [fixture.user("alice"), fixture.user("bob")]
  await initHost(alice)
  await startBroker(alice)
  const [bundle, passphrase] = [join(bob.home, "bundle"), join(bob.home, "passphrase")]
  writeFileSync(passphrase, "correct horse\n", { mode: 0o600 })
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

async function end(owner: JsonProcess): Promise<void> {
  owner.kill("SIGTERM")
  await owner.finished()
}
