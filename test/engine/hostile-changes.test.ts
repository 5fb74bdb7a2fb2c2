import { randomBytes } from "node:crypto"
import { expect, test } from "vitest"
import type { Message } from "../../src/engine/api.ts"
import { headOf } from "../../src/account/chain-link.ts"
import { fromHex } from "../../src/crypto/bytes.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { textDigest } from "../../src/wire/text-digest.ts"
import { hostileContact } from "./hostile-contact.ts"
import type { TestProfile } from "./engine-fixture.ts"

const text = (said: string): Extract<Frame, { kind: "text" }> => {
  return { kind: "text", id: randomBytes(8), time: 1, text: new TextEncoder().encode(said) }
}
const bytes = (said: string): Uint8Array => new TextEncoder().encode(said)

async function messages(bob: TestProfile): Promise<Message[]> {
  const all = await bob.client.call("history", { contact: "eve", limit: 10_000 })
  return all.filter(({ kind }) => kind === "text")
}

/** The beginning of the account id of the only contact. */
async function contactOf(profile: TestProfile): Promise<Uint8Array> {
  const [contact] = (await profile.store.load()).contacts
  return contact?.accountId?.slice(0, 8) ?? new Uint8Array()
}

/** Eve's frames about a message, numbered on from those that her own program has sent. */
function changes(of: { readonly author: Uint8Array; readonly id: Uint8Array; readonly digest: Uint8Array }) {
  return {
    edit: (said: string | Uint8Array, time: number): Frame => ({
      kind: "edit",
      ...of,
      time,
      text: typeof said === "string" ? bytes(said) : said,
    }),
    deletion: (time: number): Frame => ({ kind: "delete", ...of, time }),
    reaction: (emoji: string, time: number): Frame => ({
      kind: "reaction",
      ...of,
      time,
      emoji: bytes(emoji),
    }),
  }
}

async function hostile() {
  const { bob, sends, ...rest } = await hostileContact()
  const [link] = (await bob.store.load()).ownLinks
  const ours = headOf(link ?? new Uint8Array()).slice(0, 8)
  const author = await contactOf(bob)
  let next = 1
  const numbered = async (frame: Frame): Promise<void> => sends(frame, { kind: "number", number: next++ })
  return { ...rest, bob, ours, author, numbered }
}

test("Eve cannot edit or delete what Bob wrote, under her own name or under his", async () => {
  const { bob, ours: bobs, author: eves, numbered } = await hostile()
  const ours = (await messages(bob)).find(({ mine }) => mine)
  const id = fromHex(ours?.id ?? "")
  const [conversation] = (await bob.store.load()).conversations
  const stored =
    conversation && (await bob.store.findMessage({ conversation: conversation.id, author: null, id }))
  const digest = stored?.digest ?? new Uint8Array()
  for (const author of [bobs, eves, randomBytes(8)]) {
    const { edit, deletion } = changes({ author, id, digest })
    await numbered(edit("I owe Eve 1,000", 9_000_000_000_000))
    await numbered(deletion(9_000_000_000_000))
  }
  expect((await messages(bob)).find(({ mine }) => mine)).toEqual(ours)
  expect(bob.events.filter(({ kind }) => kind === "changed")).toEqual([])
})

test("an edit must name what Eve said first: another digest changes nothing", async () => {
  const { bob, author, numbered } = await hostile()
  const first = text("I said this")
  await numbered(first)
  const { edit } = changes({ author, id: first.id, digest: randomBytes(16) })
  await numbered(edit("I never said that", 5))
  expect((await messages(bob)).at(-1)).toMatchObject({ text: "I said this", editedAt: null })
})

test("bytes that are no text, and reactions that are no emoji, are one line each and change nothing [D-99]", async () => {
  const { bob, author, numbered } = await hostile()
  const first = text("hi")
  await numbered(first)
  const { edit, reaction } = changes({ author, id: first.id, digest: textDigest(first) })
  await numbered(edit(Uint8Array.of(0xff, 0xfe), 5))
  for (const said of ["OK", "👍👍", "\u202e👍", "x".repeat(64)]) await numbered(reaction(said, 5))
  expect((await messages(bob)).find(({ text: said }) => said === "hi")).toMatchObject({
    editedAt: null,
    reactions: [],
  })
  expect(await bob.systemMessages("eve")).toEqual([
    "eve sent an edit that is not text",
    "eve sent a reaction that is no emoji",
  ])
  await numbered(text("and on"))
  expect((await messages(bob)).at(-1)?.text).toBe("and on")
})

test("a flood of edits leaves one event and a bounded history, and takes nothing else from the log", async () => {
  const { fixture, bob, author, numbered } = await hostile()
  const first = text("hi")
  await numbered(first)
  const { edit } = changes({ author, id: first.id, digest: textDigest(first) })
  for (let time = 1; time <= 200; time++) await numbered(edit(`edit ${time}`, time))
  await fixture.clock.pass(1_000)
  const last = (await messages(bob)).at(-1)
  expect(last?.text).toBe("edit 200")
  expect(last?.previous).toHaveLength(32)
  expect(last?.previous[0]?.text).toBe("hi")
  const { events } = await bob.client.call("events", { since: 0, limit: 1_000 })
  expect(events.filter(({ kind }) => kind === "changed")).toHaveLength(1)
  expect(events.filter(({ kind }) => kind === "message")).toHaveLength(3)
})

test("an edit with a clock from the end of time does not keep Eve from deleting her message", async () => {
  const { bob, author, numbered } = await hostile()
  const first = text("hi")
  await numbered(first)
  const { edit, deletion } = changes({ author, id: first.id, digest: textDigest(first) })
  await numbered(edit("the last word", Number.MAX_SAFE_INTEGER))
  expect((await messages(bob)).at(-1)?.text).toBe("the last word")
  await numbered(deletion(0))
  expect((await messages(bob)).at(-1)).toMatchObject({ text: "", deletedAt: 0 })
})

test("[D-26] edits of a contact that is not verified count among what it may add", async () => {
  const { fixture, bob, sends } = await hostileContact({ perHour: 3_600, bytes: 2_000 })
  const author = await contactOf(bob)
  const first = text("hi")
  await sends(first, { kind: "number", number: 1 })
  const { edit } = changes({ author, id: first.id, digest: textDigest(first) })
  for (let time = 1; time <= 5; time++)
    await sends(edit("x".repeat(600), time), { kind: "number", number: time + 1 })
  await fixture.clock.pass(1_000)
  const last = (await messages(bob)).at(-1)
  expect(last?.editedAt).toBe(3)
  expect(await bob.systemMessages("eve")).toHaveLength(1)
})
