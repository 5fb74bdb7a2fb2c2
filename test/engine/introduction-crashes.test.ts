import { expect, test } from "vitest"
import { HOUR_MS } from "../../src/time-units.ts"
import type { TestProfile } from "./engine-fixture.ts"
import { answers, names, questions, trio, type Trio } from "./introduction-fixture.ts"
import { cutOff } from "./two-devices.ts"

/** The process dies in the commit that replaces the session: nothing is done that would follow it. */
async function resetsAndDies({ fixture }: Trio, profile: TestProfile, contact: string): Promise<void> {
  profile.diesAfter(1)
  void profile.client.call("reset", { contact })
  await fixture.clock.pass(1_000)
  expect(profile.isDead).toBe(true)
  await profile.crash()
}

test("[D-81] each of the three steps is told, though a new session dropped it and the process died in that commit", async () => {
  const people = await trio()
  const { fixture, alice, bob, carol } = people
  cutOff(fixture, carol)
  await alice.client.call("introduce", { contact: "bob", to: "carol" })
  await resetsAndDies(people, alice, "carol")
  cutOff(fixture)
  await alice.start()
  await fixture.clock.pass(2 * HOUR_MS)
  expect(await questions(carol)).toHaveLength(1)

  cutOff(fixture, alice)
  await answers(carol, true)
  await resetsAndDies(people, carol, "alice")
  cutOff(fixture, bob)
  await carol.start()
  await fixture.clock.pass(2 * HOUR_MS)
  expect((await alice.systemMessages("bob")).at(-1)).toBe("you introduced carol to bob")
  expect(await questions(bob)).toEqual([])

  await resetsAndDies(people, alice, "bob")
  cutOff(fixture)
  await alice.start()
  await fixture.clock.pass(2 * HOUR_MS)
  await answers(bob, true)
  await fixture.clock.pass(200)
  expect(await names(carol)).toEqual(["alice", "bob"])
  expect(await names(bob)).toEqual(["alice", "carol"])
})

/** What a person does who sees what their program lists; the program may die meanwhile. */
async function acts(profile: TestProfile, isIntroducer: boolean): Promise<void> {
  const { client } = profile
  const open = await client.call("introductions", {})
  if (isIntroducer && open.length === 0) await client.call("introduce", { contact: "bob", to: "carol" })
  for (const { id, isQuestion } of open)
    if (isQuestion) await client.call("introduction-answer", { id, accept: true })
}

async function isMet(profile: TestProfile, other: string): Promise<boolean> {
  const contacts = await profile.client.call("contacts", {})
  return contacts.some(({ name, state }) => name === other && state === "established")
}

async function questionLines(profile: TestProfile): Promise<number> {
  return (await profile.systemMessages("alice")).filter((line) => line.includes("introductions accept"))
    .length
}

async function restarts(profile: TestProfile): Promise<void> {
  await profile.crash()
  await profile.start()
}

/** With one commit a life no step could rely on what follows its commit; more than these are needed by none of the three. */
const LIVES_MAX = 40

test("[D-81] all three processes die in each of their commits, and the two meet all the same", async () => {
  const people = await trio()
  const { fixture, alice, bob, carol } = people
  const all = [alice, bob, carol]
  for (const profile of all) profile.diesAfter(1)
  let lives = 0
  while (!((await isMet(bob, "carol")) && (await isMet(carol, "bob")))) {
    for (const profile of all) {
      void acts(profile, profile === alice)
      await fixture.clock.pass(HOUR_MS)
      if (!profile.isDead) continue
      await restarts(profile)
      profile.diesAfter(1)
      lives++
    }
    expect(lives).toBeLessThan(LIVES_MAX)
  }
  for (const profile of all) await restarts(profile)
  expect([await questionLines(bob), await questionLines(carol)]).toEqual([1, 1])
})
