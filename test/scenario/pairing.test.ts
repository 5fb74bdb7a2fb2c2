import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest"
import {
  pairedUsers,
  pair,
  type User,
  type JsonOutput,
  schemaIs,
  initHost,
  ScenarioFixture,
  type JsonProcess,
} from "./scenario-fixture.ts"
import { until } from "../until.ts"

const PROFILE_FLAGS = ["--no-passphrase", "--json"] as const

function newFixture({ onTestFinished }: TestContext): ScenarioFixture {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  return fixture
}

/** More tries than this means that it never comes. */
const POLLS_MAX = 200

async function namesOf(user: User): Promise<readonly unknown[]> {
  return (await user.runJson("contacts")).map(({ name }) => name)
}

/** The contacts of both, once each has fetched what the other had sent; with a slow broker that takes some tries. */
async function agreed(one: User, other: User): Promise<readonly (readonly unknown[])[]> {
  let known: readonly (readonly unknown[])[] = []
  for (let polls = 0; polls < POLLS_MAX; polls++) {
    for (const user of [one, other, one, other]) await user.inbox()
    known = [await namesOf(one), await namesOf(other)]
    if (known[0]?.length === known[1]?.length) break
  }
  return known
}

/** Shows a code; also gives the process that waits with it. */
async function offerOf(host: User): Promise<{ offer: JsonProcess; carrier: string }> {
  const offer = host.start(["pair", "--json", "--no-qr"])
  const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
  return { offer, carrier: String(carrier) }
}

describe("users who are contacts", () => {
  test.concurrent("two with one name are told apart, and each gets their own texts", async (context) => {
    const fixture = newFixture(context)
    const { alice, bob } = await pairedUsers(fixture)
    const [second, third] = [fixture.user("second"), fixture.user("third")]
    const { offer, carrier } = await offerOf(alice)
    await second.runJson("pair", carrier, "--my-name", "bob", "--no-passphrase")
    const paired = await offer.waitForOutput(schemaIs("paired"))
    expect(paired).toMatchObject({ renamedFrom: "bob", known: false })
    const { name } = paired["contact"] as { name: string }
    expect(await namesOf(alice)).toEqual(expect.arrayContaining(["bob", name]))

    const named = alice.start(["pair", "--name", "Robert", "--json", "--no-qr"])
    const { offer: another } = await named.waitForOutput(schemaIs("offer"))
    await third.runJson("pair", String(another), "--my-name", "bob", "--no-passphrase")
    expect(await named.waitForOutput(schemaIs("paired"))).toMatchObject({ contact: { name: "Robert" } })
    await named.finished()

    const meant = [
      [bob, "bob"],
      [second, name],
      [third, "Robert"],
    ] as const
    for (const [user, to] of meant) {
      await alice.runJson("send", to, `for ${to}`)
      expect(await user.inbox()).toEqual([`for ${to}`])
    }
  })

  test.concurrent(
    "pairing again keeps the contact and the conversation, to be compared again",
    async (context) => {
      const { alice, bob } = await pairedUsers(newFixture(context))
      await alice.runJson("send", "bob", "before")
      expect(await bob.inbox()).toEqual(["before"])
      await bob.runJson("verify", "alice", "--yes")
      const { offer, carrier } = await offerOf(alice)
      const answer = await bob.runJson("pair", carrier)
      for (const paired of [await offer.waitForOutput(schemaIs("paired")), answer.find(schemaIs("paired"))])
        expect(paired).toMatchObject({ known: true, renamedFrom: null })
      await offer.finished()
      expect(await bob.runJson("contacts")).toMatchObject([{ name: "alice", verified: false }])
      await bob.runJson("verify", "alice", "--yes")
      await bob.runJson("send", "alice", "after")
      expect(await alice.inbox()).toEqual(["after"])
      await alice.runJson("send", "bob", "and back")
      expect(await bob.inbox()).toEqual(["and back"])
      expect((await bob.history(alice)).map(({ text }) => text)).toEqual(["before", "after", "and back"])
    },
  )

  test.concurrent("texts of a blocked contact are dropped and counted", async (context) => {
    const { alice, bob } = await pairedUsers(newFixture(context))
    const blocked = await alice.run(["contacts", "block", "bob"])
    expect(blocked.code).toBe(0)
    expect(blocked.stderr).toMatch(
      /dropped here, unread, and they are not told\n.*repeats it for up to 30 days/,
    )
    const open = alice.start(["inbox", "--follow", "--json"])
    await bob.runJson("send", "alice", "let me in")
    await until(async () => (await alice.runJson("status"))[0]?.["dropped"] !== 0)
    expect(await alice.history(bob)).toEqual([])
    open.kill("SIGINT")
    expect((await open.ended()).output).toEqual([])
    expect(await alice.inbox()).toEqual([])
    await alice.runJson("contacts", "unblock", "bob")
    await bob.runJson("send", "alice", "thank you")
    // What was left out may have to be asked for first, and Bob's program runs only now and then.
    await until(async () => {
      await bob.inbox()
      return (await alice.inbox()).includes("thank you")
    })
  })
})

test.concurrent("pair goes through the process that has the profile open, on both sides", async (context) => {
  const fixture = newFixture(context)
  const { alice, bob } = await pairedUsers(fixture)
  const carol = fixture.user("carol")
  await carol.runJson("init", "--name", "carol", "--no-passphrase", "--broker", "later")
  const [chat, inbox] = [alice.start(["chat", "bob"]), carol.start(["inbox", "--follow"])]
  await chat.prints(/\/help/)
  expect(await pair(alice, carol)).toHaveLength(4)
  await chat.prints(/info: paired with carol/)
  await alice.runJson("send", "carol", "welcome")
  await inbox.prints(/alice: welcome/)
  chat.type("carol is here\n/quit\n")
  expect(await chat.finished()).toMatchObject({ code: 0 })
  expect(await bob.inbox()).toEqual(["carol is here"])
  inbox.kill("SIGINT")
  expect(await inbox.finished()).toMatchObject({ signal: "SIGINT" })
})

describe("Ctrl+C in the middle of a pairing leaves nothing half done", () => {
  const fixture = new ScenarioFixture()
  const alice = fixture.user("alice")
  let broker: JsonProcess
  beforeAll(async () => {
    await initHost(alice)
    broker = alice.start(["broker", "--loopback", "--port", "0", "--watch", "--json"])
    await broker.waitForOutput(schemaIs("broker"))
  })
  afterAll(fixture.end)

  test("on the side that shows the code, while it waits", async () => {
    const bob = fixture.user("bob-1")
    const { offer, carrier } = await offerOf(alice)
    offer.kill("SIGINT")
    expect(await offer.ended()).toMatchObject({ signal: "SIGINT" })
    const { code, stderr } = await bob.run(["pair", carrier, "--my-name", "bob", ...PROFILE_FLAGS])
    expect(code, stderr).not.toBe(0)
    expect([await namesOf(alice), await namesOf(bob)]).toEqual([[], []])
  })

  test("on the side that answers, while the other is silent", async () => {
    const bob = fixture.user("bob-2")
    const { offer, carrier } = await offerOf(alice)
    offer.kill("SIGSTOP")
    const answer = bob.start(["pair", carrier, "--my-name", "bob", ...PROFILE_FLAGS])
    await answer.waitForOutput(schemaIs("profile"))
    answer.kill("SIGINT")
    expect(await answer.ended()).toMatchObject({ signal: "SIGINT" })
    offer.kill("SIGCONT")
    offer.kill("SIGINT")
    await offer.finished()
    expect([await namesOf(alice), await namesOf(bob)]).toEqual([[], []])
  })

  // at what the broker has just seen: messages on the nameplate, then frames in an inbox
  test.each([
    [3, "nameplate", "alice"],
    [4, "nameplate", "bob"],
    [1, "inbox", "alice"],
    [1, "inbox", "bob"],
  ] as const)(
    "after frame %i on the topic of the %s, by %s: both have the contact or neither does",
    async (count, where, who) => {
      const bob = fixture.user(`bob-${where}-${who}`)
      const { offer, carrier } = await offerOf(alice)
      const nameplate = `mc/1/p/${carrier.split("-")[0] ?? ""}`
      const before = new Set<JsonOutput>()
      await broker.waitForOutput((output) => {
        before.add(output)
        return output["topic"] === nameplate
      })
      const answer = bob.start(["pair", carrier, "--my-name", "bob", ...PROFILE_FLAGS])
      const passed = new Set<JsonOutput>()
      await broker.waitForOutput((output) => {
        const topic = String(output["topic"])
        const counts = where === "inbox" ? topic.startsWith("mc/1/i/") : topic === nameplate
        if (counts && !before.has(output)) passed.add(output)
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
      if (known[0]?.length === 1) await alice.runJson("contacts", "forget", "bob", "--yes")
    },
  )
})
