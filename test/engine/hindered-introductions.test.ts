import { describe, expect, test } from "vitest"
import { MODE } from "../../src/session/handshake.ts"
import { HOUR_MS } from "../../src/time-units.ts"
import type { TestProfile } from "./engine-fixture.ts"
import { noticesOf } from "./account-client.ts"
import { answers, names, questions, trio, type Trio } from "./introduction-fixture.ts"

/** Alice's question is with Carol. */
async function asked(): Promise<Trio> {
  const people = await trio()
  await people.alice.client.call("introduce", { contact: "bob", to: "carol" })
  await people.fixture.clock.pass(200)
  return people
}

/** Carol has agreed, and the question is with Bob. */
async function agreed(): Promise<Trio> {
  const people = await asked()
  await answers(people.carol, true)
  await people.fixture.clock.pass(200)
  return people
}

/** Introductions, and bundles that were made for some. */
async function leftOver(profile: TestProfile): Promise<number> {
  const { introductions, openBundles } = await profile.store.load()
  return introductions.length + openBundles.filter(({ mode }) => mode === MODE.introduction).length
}

async function lastLine(profile: TestProfile, about: string): Promise<string | undefined> {
  return (await profile.systemMessages(about)).at(-1)
}

describe("[D-83] one of the three is forgotten between the question and the answer", () => {
  test("Alice forgets Bob, whom she introduces", async () => {
    const { fixture, alice, bob, carol } = await asked()
    await alice.client.call("forget", { contact: "bob" })
    expect(await lastLine(alice, "carol")).toBe(
      "bob was forgotten: you do not introduce carol to them any more",
    )
    expect(await leftOver(alice)).toBe(0)
    await answers(carol, true)
    await fixture.clock.pass(HOUR_MS)
    expect(await leftOver(alice)).toBe(0)
    expect(await questions(bob)).toEqual([])
  })

  test("Alice forgets Carol, whom she has asked", async () => {
    const { alice } = await asked()
    await alice.client.call("forget", { contact: "carol" })
    expect(await lastLine(alice, "bob")).toBe(
      "carol was forgotten: you do not introduce bob to them any more",
    )
    expect(await leftOver(alice)).toBe(0)
  })

  test("Carol forgets Alice, who has asked her, and after she has agreed: her bundle is closed", async () => {
    const { fixture, bob, carol } = await agreed()
    const { topics } = fixture.broker.session(carol.deviceId)
    expect(topics.size).toBe(2)
    await carol.client.call("forget", { contact: "alice" })
    await fixture.clock.pass(10)
    expect(noticesOf(carol)).toContain("alice was forgotten: you cannot meet bob through them any more")
    expect(await leftOver(carol)).toBe(0)
    expect(topics.size).toBe(0)
    await answers(bob, true)
    await fixture.clock.pass(HOUR_MS)
    expect(await names(carol)).toEqual([])
  })

  test("Bob forgets Alice, who has introduced Carol to him", async () => {
    const { fixture, bob } = await agreed()
    const [question] = await questions(bob)
    await bob.client.call("forget", { contact: "alice" })
    await fixture.clock.pass(10)
    expect(noticesOf(bob)).toContain("alice was forgotten: you cannot meet carol through them any more")
    expect(await leftOver(bob)).toBe(0)
    const call = { id: question?.id ?? 0, accept: true }
    await expect(bob.client.call("introduction-answer", call)).rejects.toMatchObject({
      code: "not-found",
      message: "no introduction with the number 1 waits for you: it is over, or its introducer was forgotten",
    })
  })
})

test("[D-83] Alice has another key: what she asked goes with the old one, and Carol's bundle too", async () => {
  const { fixture, carol } = await agreed()
  const newAlice = await fixture.profile("alice")
  await fixture.pair(carol, newAlice)
  const [, newContact = ""] = await names(carol)
  await carol.client.call("replace", { contact: "alice", newContact })
  await fixture.clock.pass(10)
  expect(noticesOf(carol)).toContain("alice has another key: you cannot meet bob through them any more")
  expect(await leftOver(carol)).toBe(0)
})

test("[D-82] who is blocked meanwhile is told of in one line on the side that blocks, with the way back", async () => {
  const { alice, carol } = await asked()
  for (const contact of ["bob", "carol"]) await alice.client.call("block", { contact, blocked: true })
  await carol.client.call("block", { contact: "alice", blocked: true })
  await carol.client.call("block", { contact: "alice", blocked: true })
  const until = (name: string) => `until you unblock them: mqttchat contacts unblock ${name}`
  expect(await lastLine(alice, "carol")).toBe(
    `bob is blocked: you do not introduce carol to them ${until("bob")}`,
  )
  expect(await lastLine(alice, "bob")).toBe(
    `carol is blocked: you do not introduce bob to them ${until("carol")}`,
  )
  const lines = (await carol.systemMessages("alice")).filter((line) => line.includes("is blocked"))
  expect(lines).toEqual([`alice is blocked: you cannot meet bob through them ${until("alice")}`])
})
