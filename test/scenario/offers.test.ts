import { expect, test, type TestContext } from "vitest"
import { GuestCaller } from "../engine/guests.ts"
import { pairedUsers, ScenarioFixture, schemaIs, type User } from "./scenario-fixture.ts"

function newFixture({ onTestFinished }: TestContext): ScenarioFixture {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  return fixture
}

async function linkOf(alice: User): Promise<{ readonly id: string; readonly link: string }> {
  const offer = alice.start(["pair", "--link", "--json", "--no-qr"])
  const { id, offer: link } = await offer.waitForOutput(schemaIs("offer"))
  offer.kill("SIGINT")
  await offer.ended()
  return { id: String(id), link: String(link) }
}

const listed = async (alice: User) => (await alice.runJson("pair", "--list")).map(({ id }) => id)

test.concurrent(
  "with a daemon, a link lives as long as was said: past Ctrl+C, another link and a restart",
  async (context) => {
    const fixture = newFixture(context)
    const { alice } = await pairedUsers(fixture)
    const daemon = alice.start(["daemon", "--json"])
    await daemon.waitForOutput(schemaIs("daemon"))
    const [first, second, third] = [await linkOf(alice), await linkOf(alice), await linkOf(alice)]
    expect(await listed(alice)).toEqual(expect.arrayContaining([first.id, second.id, third.id]))
    const [carol, dora] = [fixture.user("carol"), fixture.user("dora")]
    const flags = (user: User) => ["--my-name", user.name, "--no-passphrase"]
    await carol.runJson("pair", first.link, ...flags(carol))
    await alice.runJson("daemon", "stop")
    await daemon.ended()
    expect(await alice.run(["pair", "--cancel", third.id])).toMatchObject({ code: 0 })
    expect(await listed(alice)).toEqual([second.id])
    expect(await alice.run(["pair", "--cancel", third.id])).toMatchObject({ code: 66 })
    const again = alice.start(["daemon", "--json"])
    await again.waitForOutput(schemaIs("daemon"))
    await dora.runJson("pair", second.link, ...flags(dora))
    const names = (await alice.runJson("contacts")).map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(["bob", "carol", "dora"]))
    expect(await listed(alice)).toEqual([])
  },
)

test.concurrent(
  "a guess counts although the owner is killed while the guesser is silent",
  async (context) => {
    const fixture = newFixture(context)
    const { alice, broker } = await pairedUsers(fixture)
    const { port } = await broker.waitForOutput(schemaIs("broker"))
    const address = { host: "127.0.0.1", port: Number(port) }
    const target = { address, trust: { kind: "unproven" }, credential: { kind: "guest" } } as const
    const wordsOf = (carrier: string) => carrier.split("@")[0]!.split("-").length - 1
    for (let guess = 0; guess < 5; guess++) {
      const offer = alice.start(["pair", "--json", "--no-qr"])
      const { offer: typed } = await offer.waitForOutput(schemaIs("offer"))
      const carrier = String(typed)
      expect(wordsOf(carrier)).toBe(2)
      const mallory = await GuestCaller.open(target, carrier)
      mallory.isProving = false
      await mallory.answer(carrier.replace(/-[a-z]+@/, (word) => (word === "-zoo@" ? "-zone@" : "-zoo@")))
      await mallory.has("share")
      offer.kill(guess % 2 === 0 ? "SIGKILL" : "SIGINT")
      await offer.finished()
      await mallory.close()
    }
    const offer = alice.start(["pair", "--json", "--no-qr"])
    const { offer: typed } = await offer.waitForOutput(schemaIs("offer"))
    expect(wordsOf(String(typed))).toBe(3)
    offer.kill("SIGINT")
    await offer.finished()
  },
)
