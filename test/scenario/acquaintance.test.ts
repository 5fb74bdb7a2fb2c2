import { afterAll, beforeAll, describe, expect, test, type TestContext, vi } from "vitest"
import { neighbours, pair, type Person, type Said, schemaIs, settle, Story, type Talker } from "./people.ts"

// Many real processes share two cores with other tests: a ceiling, no verdict on speed.
vi.setConfig({ testTimeout: 180_000 })

const ON_THE_WAY = ["--no-passphrase", "--json"] as const

function newStory({ onTestFinished }: TestContext): Story {
  const story = new Story()
  onTestFinished(story.end)
  return story
}

const LOOKS_MAX = 4

async function namesOf(person: Person): Promise<readonly unknown[]> {
  return (await person.tell("contacts")).map(({ name }) => name)
}

/** Whom each of two knows, once both have looked for what the other still had to say; a slow broker may take some looks. */
async function agreed(one: Person, other: Person): Promise<readonly (readonly unknown[])[]> {
  let known: readonly (readonly unknown[])[] = []
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    for (const person of [one, other, one, other]) await person.inbox()
    known = [await namesOf(one), await namesOf(other)]
    if (known[0]?.length === known[1]?.length) break
  }
  return known
}

/** Shows a code, and gives the process that waits with it. */
async function offerOf(host: Person): Promise<{ offer: Talker; carrier: string }> {
  const offer = host.start(["pair", "--json", "--no-qr"])
  const { carrier } = await offer.hears(schemaIs("offer"))
  return { offer, carrier: String(carrier) }
}

describe("people who know each other", () => {
  test.concurrent("two of one name are told apart, and each gets what is meant for them", async (context) => {
    const story = newStory(context)
    const { alice, bob } = await neighbours(story)
    const [second, third] = [story.person("second"), story.person("third")]
    const { offer, carrier } = await offerOf(alice)
    await second.tell("pair", carrier, "--my-name", "bob", "--no-passphrase")
    const paired = await offer.hears(schemaIs("paired"))
    expect(paired).toMatchObject({ renamedFrom: "bob", known: false })
    const { name } = paired["contact"] as { name: string }
    expect(await namesOf(alice)).toEqual(expect.arrayContaining(["bob", name]))

    const named = alice.start(["pair", "--name", "Robert", "--json", "--no-qr"])
    const { carrier: another } = await named.hears(schemaIs("offer"))
    await third.tell("pair", String(another), "--my-name", "bob", "--no-passphrase")
    expect(await named.hears(schemaIs("paired"))).toMatchObject({ contact: { name: "Robert" } })
    await named.finished()

    const meant = [
      [bob, "bob"],
      [second, name],
      [third, "Robert"],
    ] as const
    for (const [person, to] of meant) {
      await alice.tell("send", to, `for ${to}`)
      expect(await person.inbox()).toEqual([`for ${to}`])
    }
  })

  test.concurrent("pairing again keeps the contact and what was said, under new keys", async (context) => {
    const { alice, bob } = await neighbours(newStory(context))
    await alice.tell("send", "bob", "before")
    expect(await bob.inbox()).toEqual(["before"])
    await bob.tell("verify", "alice", "--yes")
    const { offer, carrier } = await offerOf(alice)
    const answer = await bob.tell("pair", carrier)
    for (const paired of [await offer.hears(schemaIs("paired")), answer.find(schemaIs("paired"))])
      expect(paired).toMatchObject({ known: true, renamedFrom: null })
    await offer.finished()
    expect(await bob.tell("contacts")).toMatchObject([{ name: "alice", verified: true }])
    await bob.tell("send", "alice", "after")
    expect(await alice.inbox()).toEqual(["after"])
    await alice.tell("send", "bob", "and back")
    expect(await bob.inbox()).toEqual(["and back"])
    expect((await bob.history(alice)).map(({ text }) => text)).toEqual(["before", "after", "and back"])
  })

  test.concurrent("what a blocked contact sends is dropped and counted", async (context) => {
    const { alice, bob } = await neighbours(newStory(context))
    await alice.tell("contacts", "block", "bob")
    const open = alice.start(["inbox", "--follow", "--json"])
    await bob.tell("send", "alice", "let me in")
    while ((await alice.tell("status"))[0]?.["dropped"] === 0);
    expect(await alice.history(bob)).toEqual([])
    open.kill("SIGINT")
    expect((await open.ended()).said).toEqual([])
    expect(await alice.inbox()).toEqual([])
    await alice.tell("contacts", "unblock", "bob")
    await bob.tell("send", "alice", "thank you")
    expect(await alice.inbox()).toContain("thank you")
  })
})

test.concurrent("pair goes through whatever has the profile open, on both sides", async (context) => {
  const story = newStory(context)
  const { alice, bob } = await neighbours(story)
  const carol = story.person("carol")
  await carol.tell("init", "--name", "carol", "--no-passphrase", "--broker", "later")
  const [chat, inbox] = [alice.start(["chat", "bob"]), carol.start(["inbox", "--follow"])]
  await chat.says(/\/help/)
  expect(await pair(alice, carol)).toHaveLength(4)
  await chat.says(/info: paired with carol/)
  await alice.tell("send", "carol", "welcome")
  await inbox.says(/alice: welcome/)
  chat.type("carol is here\n/quit\n")
  expect(await chat.finished()).toMatchObject({ code: 0 })
  expect(await bob.inbox()).toEqual(["carol is here"])
  inbox.kill("SIGINT")
  expect(await inbox.finished()).toMatchObject({ signal: "SIGINT" })
})

describe("Ctrl+C in the middle of a pairing leaves nothing half done", () => {
  const story = new Story()
  const alice = story.person("alice")
  let broker: Talker
  beforeAll(async () => {
    await settle(alice)
    broker = alice.start(["broker", "--loopback", "--port", "0", "--watch", "--json"])
    await broker.hears(schemaIs("broker"))
  })
  afterAll(story.end)

  test("on the side of the code, while it waits", async () => {
    const bob = story.person("bob-1")
    const { offer, carrier } = await offerOf(alice)
    offer.kill("SIGINT")
    expect(await offer.ended()).toMatchObject({ signal: "SIGINT" })
    const { code, stderr } = await bob.run(["pair", carrier, "--my-name", "bob", ...ON_THE_WAY])
    expect(code, stderr).not.toBe(0)
    expect([await namesOf(alice), await namesOf(bob)]).toEqual([[], []])
  })

  test("on the side of the answer, while the other is silent", async () => {
    const bob = story.person("bob-2")
    const { offer, carrier } = await offerOf(alice)
    offer.kill("SIGSTOP")
    const answer = bob.start(["pair", carrier, "--my-name", "bob", ...ON_THE_WAY])
    await answer.hears(schemaIs("profile"))
    answer.kill("SIGINT")
    expect(await answer.ended()).toMatchObject({ signal: "SIGINT" })
    offer.kill("SIGCONT")
    offer.kill("SIGINT")
    await offer.finished()
    expect([await namesOf(alice), await namesOf(bob)]).toEqual([[], []])
  })

  // by what the broker has just seen: messages on the nameplate, then frames in an inbox
  test.each([
    [3, "nameplate", "alice"],
    [4, "nameplate", "bob"],
    [1, "inbox", "alice"],
    [1, "inbox", "bob"],
  ] as const)(
    "after frame %i on the topic of the %s, by %s: both know each other or neither does",
    async (count, where, who) => {
      const bob = story.person(`bob-${where}-${who}`)
      const { offer, carrier } = await offerOf(alice)
      const nameplate = `mc/1/p/${carrier.split("-")[0] ?? ""}`
      const before = new Set<Said>()
      await broker.hears((said) => {
        before.add(said)
        return said["topic"] === nameplate
      })
      const answer = bob.start(["pair", carrier, "--my-name", "bob", ...ON_THE_WAY])
      const passed = new Set<Said>()
      await broker.hears((said) => {
        const topic = String(said["topic"])
        const counts = where === "inbox" ? topic.startsWith("mc/1/i/") : topic === nameplate
        if (counts && !before.has(said)) passed.add(said)
        return passed.size === count
      })
      const [first, second] = who === "alice" ? [offer, answer] : [answer, offer]
      first.kill("SIGINT")
      await first.finished()
      second.kill("SIGINT")
      await second.finished()
      const known = await agreed(alice, bob)
      expect([
        [[], []],
        [["bob"], ["alice"]],
      ]).toContainEqual(known)
      if (known[0]?.length === 1) await alice.tell("contacts", "forget", "bob", "--yes")
    },
  )
})
