import { expect, test } from "vitest"
import type { Message } from "../../src/engine/api.ts"
import { HOUR_MS } from "../../src/time-units.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { replacedContact } from "./candidate.ts"
import type { TestProfile } from "./engine-fixture.ts"
import { saysSame } from "./words-fixture.ts"

async function conversation(profile: TestProfile, contact: string): Promise<Message[]> {
  const all = await profile.client.call("history", { contact, limit: 100 })
  return all.filter(({ kind }) => kind === "text")
}

test("[D-42] a key that was not compared changes no message; once it is compared, what it repeats applies", async () => {
  const { fixture, alice, candidate, reached } = await replacedContact()
  const before = await conversation(alice, "bob")
  const [said, answered] = await conversation(candidate, "alice")
  const named = (message: Message | undefined) => ({ contact: "alice", id: message?.id ?? "" })
  await candidate.client.call("edit", { ...named(said), text: "it is really me" })
  await candidate.client.call("react", { ...named(answered), emoji: "👍" })
  await fixture.clock.pass(2 * HOUR_MS)
  expect(await conversation(alice, "bob")).toEqual(before)
  expect(reached()).toBe(0)
  const own = { contact: "bob", id: before.at(-1)?.id ?? "" }
  await expect(alice.client.call("react", { ...own, emoji: "👎" })).rejects.toMatchObject({
    code: "refused",
    hint: "mqttchat verify bob",
  })
  await saysSame(alice, "bob")
  await fixture.clock.pass(2 * HOUR_MS)
  const after = await conversation(alice, "bob")
  expect(after.map(({ text }) => text)).toEqual(["old times", "it is really me", "is it?"])
  expect(after.at(-1)?.reactions).toMatchObject([{ emoji: "👍", mine: false }])
})

test("[D-90] a new key never changes what was said under the key before it, not even once it was compared", async () => {
  const { fixture, alice, injects } = await replacedContact()
  await saysSame(alice, "bob")
  const [old] = await alice.store.messages(0, 1)
  const [contact] = (await alice.store.load()).contacts
  if (old === undefined || contact?.accountId === undefined) throw new Error("there is nothing to change")
  const subject = { author: contact.accountId.slice(0, 8), id: old.id, digest: old.digest, time: 9e12 }
  const changes: Frame[] = [
    { kind: "edit", ...subject, text: new TextEncoder().encode("new times") },
    { kind: "reaction", ...subject, emoji: new TextEncoder().encode("👎") },
    { kind: "delete", ...subject },
  ]
  for (const [at, change] of changes.entries()) await injects(change, { kind: "number", number: at + 1 })
  await fixture.clock.pass(HOUR_MS)
  const [now] = await conversation(alice, "bob")
  expect(now).toMatchObject({ text: "old times", editedAt: null, deletedAt: null, reactions: [] })
})
