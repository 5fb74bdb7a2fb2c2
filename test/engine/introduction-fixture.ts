import type { Results } from "../../src/engine/api.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"

type Introduction = Results["introduce"]

export type Trio = {
  readonly fixture: EngineFixture
  readonly alice: TestProfile
  readonly bob: TestProfile
  readonly carol: TestProfile
}

/** Bob and Carol, who both know Alice, and not each other. */
export async function trio(): Promise<Trio> {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await profileKnownTo(fixture, alice, "bob")
  const carol = await profileKnownTo(fixture, alice, "carol")
  return { fixture, alice, bob, carol }
}

/** Someone who has paired and talked with Alice. */
export async function profileKnownTo(
  fixture: EngineFixture,
  alice: TestProfile,
  name: string,
): Promise<TestProfile> {
  const other = await fixture.profile(name)
  await fixture.pair(alice, other)
  await other.send("alice", "hello")
  await alice.send(name, "hello")
  await fixture.clock.pass(200)
  return other
}

export async function questions(profile: TestProfile): Promise<Introduction[]> {
  const all = await profile.client.call("introductions", {})
  return all.filter(({ isQuestion }) => isQuestion)
}

/** The answer of a person to the only question. */
export async function answers(profile: TestProfile, accept: boolean): Promise<Introduction> {
  const [question, ...others] = await questions(profile)
  if (question === undefined || others.length > 0) throw new Error(`${profile.name} has not one question`)
  return profile.client.call("introduction-answer", { id: question.id, accept })
}

/** Everything that leads to a contact, with both saying yes. */
export async function introduces({ fixture, alice, bob, carol }: Trio): Promise<void> {
  await alice.client.call("introduce", { contact: "bob", to: "carol" })
  await fixture.clock.pass(200)
  await answers(carol, true)
  await fixture.clock.pass(200)
  await answers(bob, true)
  await fixture.clock.pass(200)
}

export async function names(profile: TestProfile): Promise<string[]> {
  return (await profile.client.call("contacts", {})).map(({ name }) => name)
}
