import type { TestProfile } from "./engine-fixture.ts"

/** The words to compare, or none. */
export async function wordsAt(profile: TestProfile, contact: string): Promise<string[]> {
  return (await profile.client.call("verify", { contact })).words
}

/** Each contact with how far its pairing is. */
export async function pairingsOf(profile: TestProfile): Promise<string[]> {
  return (await profile.client.call("contacts", {})).map(({ name, pairing }) => `${name} ${pairing}`)
}

export async function linkOf(owner: TestProfile): Promise<string> {
  const offer = await owner.client.call("pair-offer", { kind: "link", wordCount: 2 })
  if (offer.kind !== "link") throw new Error("not a link")
  return offer.link
}

/** Says that the words of the contact were compared, as they are shown now. */
export async function saysSame(profile: TestProfile, contact: string): Promise<void> {
  const words = await wordsAt(profile, contact)
  await profile.client.call("mark-verified", { contact, verified: true, words })
}
