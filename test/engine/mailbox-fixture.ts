import { expect } from "vitest"
import { toHex } from "../../src/crypto/bytes.ts"
import type { DeviceRecord, DeviceParts } from "../../src/store/records.ts"
import { DAY_MS } from "../../src/time-units.ts"
import { inboxTopic, splitInbox } from "../../src/wire/topics.ts"
import { couple, type EngineFixture, type TestProfile } from "./engine-fixture.ts"

export const WEEK_MS = 7 * DAY_MS

export type Couple = Awaited<ReturnType<typeof couple>>

/** Where a profile with one contact receives, and where it sends, as its disk has it. */
export async function mailboxesAt(profile: TestProfile): Promise<{
  readonly device: DeviceRecord
  readonly parts: Partial<DeviceParts>
}> {
  const { devices, deviceParts } = await profile.store.load()
  const [device] = devices
  if (device === undefined) throw new Error(`${profile.name} has no contact`)
  return { device, parts: new Map(deviceParts).get(device.id) ?? {} }
}

/** Alice and Bob with a confirmed session, each of whom has heard of the other. */
export async function establishedCouple(): Promise<Couple> {
  const both = await couple()
  await exchange(both, "first")
  return both
}

/** A text in each direction arrives. */
export async function exchange({ fixture, alice, bob }: Couple, text: string): Promise<void> {
  await alice.send("bob", text)
  await fixture.clock.pass(1_000)
  await bob.send("alice", text)
  await fixture.clock.pass(1_000)
}

/** The subscriptions that the broker holds for a profile. */
export function topicsOf(fixture: EngineFixture, { deviceId }: TestProfile): string[] {
  return [...fixture.broker.session(deviceId).topics].sort()
}

/** Those that its disk asks for. */
async function wantedTopics(profile: TestProfile): Promise<string[]> {
  const { device, parts } = await mailboxesAt(profile)
  const id = new Uint8Array(Buffer.from(profile.deviceId, "base64url"))
  const all = [device.mailbox, ...(parts.mailboxRotation?.old ?? [])]
  return all.map((mailbox) => inboxTopic({ device: id, mailbox })).sort()
}

/** Whether each sends to where the other receives at present. */
export async function agree({ alice, bob }: Couple): Promise<boolean> {
  const [hers, his] = [await mailboxesAt(alice), await mailboxesAt(bob)]
  const matches = (from: typeof hers, to: typeof hers): boolean =>
    toHex(splitInbox(from.device.peerInbox).mailbox) === toHex(to.device.mailbox)
  return matches(hers, his) && matches(his, hers)
}

/** What a profile wrote to its contact, in order. */
export async function textsBy(profile: TestProfile, to: string): Promise<string[]> {
  const all = await profile.client.call("history", { contact: to, limit: 10_000 })
  return all.filter(({ mine, kind }) => mine && kind === "text").map(({ text }) => text)
}

/** Nothing was lost or doubled, each sends to where the other receives, and the broker holds what their disks ask for. */
export async function expectWhole(both: Couple): Promise<void> {
  const { fixture, alice, bob } = both
  expect(await bob.texts("alice")).toEqual(await textsBy(alice, "bob"))
  expect(await alice.texts("bob")).toEqual(await textsBy(bob, "alice"))
  expect(await agree(both)).toBe(true)
  for (const profile of [alice, bob]) {
    const { parts } = await mailboxesAt(profile)
    expect(parts.mailboxRotation).toMatchObject({ confirmed: true, next: new Uint8Array(0) })
    expect(topicsOf(fixture, profile)).toEqual(await wantedTopics(profile))
    expect(topicsOf(fixture, profile).length).toBeLessThanOrEqual(3)
  }
}

export async function mailboxOf(profile: TestProfile): Promise<string> {
  return toHex((await mailboxesAt(profile)).device.mailbox)
}

export async function oldOf(profile: TestProfile): Promise<string[]> {
  return ((await mailboxesAt(profile)).parts.mailboxRotation?.old ?? []).map(toHex)
}
