import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { isMessage, neighbours, type Person, settle, startBroker, Story, type Talker } from "./people.ts"

/** Real processes share two cores with other tests: a ceiling, no verdict on speed. */
const CEILING = { timeout: 180_000 }
const TEXTS = ["one", "two", "three", "four", "five"]

describe.concurrent("several processes on one profile", CEILING, () => {
  it("send at once: all messages arrive, each once", async ({ onTestFinished }) => {
    const story = new Story()
    onTestFinished(story.end)
    const { alice, bob } = await neighbours(story)
    const follower = bob.start(["inbox", "--follow", "--json"])
    const sent = await Promise.all(TEXTS.map((text) => alice.run(["send", "bob", text])))
    expect(sent.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      TEXTS.map(() => ({ code: 0, stderr: "✓ sent to bob\n" })),
    )
    for (const text of TEXTS) await follower.hears(isMessage(text))
    const received = await bob.history(alice)
    expect(received.map(({ text }) => text).toSorted()).toEqual(TEXTS.toSorted())
    expect(await alice.history(bob)).toEqual(received.map(({ text }) => ({ mine: true, text })))
    follower.kill("SIGTERM")
    const { said } = await follower.ended()
    expect(said.map(({ text }) => text)).toEqual(received.map(({ text }) => text))
  })

  it.each([
    ["chat", "alice"],
    ["inbox", "--follow"],
  ])("hand what they want to the one that has it open: %s %s", async (...staying) => {
    const story = new Story()
    try {
      const { alice, bob, open } = await lockedBob(story)
      const owner = bob.start([...staying, ...open])
      await alice.tell("send", "bob", "are you there?")
      await owner.says(/alice: are you there\?/)
      // Nobody asks Bob for the passphrase: only the process that is open can have done it.
      const sent = await Promise.all(TEXTS.map((text) => bob.run(["send", "alice", text])))
      expect(sent.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
        TEXTS.map(() => ({ code: 0, stderr: "✓ sent to alice\n" })),
      )
      expect((await alice.receives(...TEXTS)).toSorted()).toEqual(TEXTS.toSorted())
      await end(owner)
      expect(await bob.run(["send", "alice", "nobody has it open"])).toMatchObject({ code: 64 })
    } finally {
      await story.end()
    }
  })

  it("do without one that was killed", async ({ onTestFinished }) => {
    const story = new Story()
    onTestFinished(story.end)
    const { alice, bob } = await neighbours(story)
    const owner = bob.start(["inbox", "--follow"])
    await alice.tell("send", "bob", "are you there?")
    await owner.says(/alice: are you there\?/)
    await owner.stop()
    const sent = await Promise.all(TEXTS.map((text) => bob.run(["send", "alice", text])))
    expect(sent.map(({ code }) => code)).toEqual(TEXTS.map(() => 0))
    expect((await alice.receives(...TEXTS)).toSorted()).toEqual(TEXTS.toSorted())
  })
})

type Couple = { readonly alice: Person; readonly bob: Person; readonly open: readonly string[] }

/** Bob's keys are locked: `open` opens them. */
async function lockedBob(story: Story): Promise<Couple> {
  const [alice, bob] = [story.person("alice"), story.person("bob")]
  await settle(alice)
  await startBroker(alice)
  const [bundle, passphrase] = [join(bob.home, "bundle"), join(bob.home, "passphrase")]
  writeFileSync(passphrase, "correct horse\n", { mode: 0o600 })
  const open = ["--passphrase-file", passphrase]
  await alice.tell("pair", "--file", bundle)
  await bob.tell("pair", bundle, "--my-name", "bob", "--name", "alice", ...open)
  await bob.tell("send", "alice", "it is bob", ...open)
  await alice.receives("it is bob")
  return { alice, bob, open }
}

async function end(owner: Talker): Promise<void> {
  owner.kill("SIGTERM")
  await owner.finished()
}
