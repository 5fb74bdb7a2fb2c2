import { joinMessage, readLinks, signLink, type ChainLink } from "../../src/account/chain-link.ts"
import { concat } from "../../src/crypto/bytes.ts"
import { sign } from "../../src/crypto/nacl.ts"
import type { DeviceRecord, Write } from "../../src/store/records.ts"
import { openStore } from "../../src/store/store.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"
import type { Store } from "../../src/store/message-store.ts"

export type TwoDevices = {
  readonly fixture: EngineFixture
  readonly alice: TestProfile
  /** Bob's machines, which Alice knows as two devices of one contact. */
  readonly laptop: TestProfile
  readonly phone: TestProfile
}

/** Alice and Bob, whose account has two devices: no program adds the second one yet, so it is written into the stores. */
export async function twoDevices(): Promise<TwoDevices> {
  const fixture = new EngineFixture()
  const [alice, laptop, phone] = [
    await fixture.profile("alice"),
    await fixture.profile("bob"),
    await fixture.profile("phone"),
  ]
  for (const bobs of [laptop, phone]) {
    await fixture.pair(alice, bobs)
    await bobs.send("alice", `hello from my ${bobs === laptop ? "laptop" : "phone"}`)
    await fixture.clock.pass(100)
  }
  const links = await addPhone(laptop, phone)
  await editStore(alice, async (store) => {
    const { devices } = await store.load()
    return joinDevices(devices, links)
  })
  await fixture.clock.pass(100)
  return { fixture, alice, laptop, phone }
}

/** Bob's account with both devices, in the stores of both. */
async function addPhone(laptop: TestProfile, phone: TestProfile): Promise<readonly ChainLink[]> {
  const { ownLinks } = await laptop.store.load()
  const [create] = readLinks(concat(...ownLinks)).links
  if (create === undefined) throw new Error("Bob has no account")
  const place = { number: 1, previous: create.head }
  const device = phone.identity.public
  const consent = sign(
    joinMessage(create.head, place, { device, mayChange: true }),
    phone.identity.signSecret,
  )
  const body = { kind: "add", device, mayChange: true, consent } as const
  const content = { ...place, time: 1, body, signer: laptop.identity.public.sign }
  const links = [create, signLink(content, laptop.identity.signSecret)]
  const own = links.map(({ number, bytes: link }): Write => ({ kind: "own-link", number, link }))
  for (const bobs of [laptop, phone]) await editStore(bobs, () => Promise.resolve(own))
  return links
}

/** Writes into the store of a profile that is stopped meanwhile. */
async function editStore(profile: TestProfile, edit: (store: Store) => Promise<Write[]>): Promise<void> {
  await profile.stop()
  await profile.edit(async (path, key) => {
    const store = await openStore(path, key)
    await store.commit(await edit(store))
    await store.close()
  })
  await profile.start()
}

/** All devices become the first contact's, in one account; the conversation with the others is gone. */
function joinDevices(devices: readonly DeviceRecord[], links: readonly ChainLink[]): Write[] {
  const [first, ...others] = devices
  const [accountId, head] = [links[0]?.head, links.at(-1)?.head]
  if (first === undefined || accountId === undefined || head === undefined) return []
  const { contact } = first
  const shown = { accountId, head, length: links.length, at: 1, until: 0, tag: new Uint8Array(0), offer: "" }
  return [
    ...others.flatMap((device): Write[] => [
      { kind: "device", device: { ...device, contact } },
      { kind: "forget-contact", id: device.contact },
    ]),
    ...devices.map(({ id: device }): Write => ({
      kind: "device-part",
      device,
      part: "shownAccount",
      value: shown,
    })),
    {
      kind: "account-links",
      contact,
      links: links.map(({ number, bytes: link }) => ({ branch: 0, number, link })),
    },
  ]
}

/** Alice's number for the device of this profile. */
export async function deviceOf(alice: TestProfile, { identity }: TestProfile): Promise<DeviceRecord> {
  const { devices } = await alice.store.load()
  const key = Buffer.concat([identity.public.sign, identity.public.box])
  const found = devices.find((device) => key.equals(device.key))
  if (found === undefined) throw new Error("Alice does not know this device")
  return found
}

/** Loses everything that the broker takes for this profile. */
export function cutOff(fixture: EngineFixture, ...profiles: readonly TestProfile[]): void {
  fixture.broker.tamper = (topic, payload) =>
    profiles.some(({ deviceId }) => topic.includes(deviceId)) ? [] : [payload]
}
