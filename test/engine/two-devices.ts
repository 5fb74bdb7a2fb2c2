import { openStore } from "../../src/store/store.ts"
import type { DeviceRecord, Write } from "../../src/store/records.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"

export type TwoDevices = {
  readonly fixture: EngineFixture
  readonly alice: TestProfile
  /** Bob's machines, which Alice knows as two devices of one contact. */
  readonly laptop: TestProfile
  readonly phone: TestProfile
}

/** Alice and Bob, who has two devices: no program adds the second one yet, so it is written into Alice's store. */
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
  await alice.stop()
  await alice.edit(async (path, key) => {
    const store = await openStore(path, key)
    await store.commit(joinDevices((await store.load()).devices))
    await store.close()
  })
  await alice.start()
  await fixture.clock.pass(100)
  return { fixture, alice, laptop, phone }
}

/** All devices become the first contact's; the conversation with the others is gone. */
function joinDevices(devices: readonly DeviceRecord[]): Write[] {
  const [first, ...others] = devices
  if (first === undefined) return []
  return others.flatMap((device): Write[] => [
    { kind: "device", device: { ...device, contact: first.contact } },
    { kind: "forget-contact", id: device.contact },
  ])
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
