import { expect, test } from "vitest"
import type { ProfileConfig } from "../../src/engine/state/ports.ts"
import { decodePairing, type PairingMessage } from "../../src/wire/pairing.ts"
import { faultOf } from "../transport/transport-fixture.ts"
import { type TestProfile, EngineFixture } from "./engine-fixture.ts"

const BROKER = { address: { host: "broker.example", port: 8883 }, trust: { kind: "name" } } as const

/** A user with a new profile, and the credential it has saved. */
async function newcomer(
  fixture: EngineFixture,
  name: string,
): Promise<{ profile: TestProfile; saved: unknown[] }> {
  const saved: unknown[] = []
  let broker: ReturnType<ProfileConfig["broker"]>
  let credential: ReturnType<ProfileConfig["credential"]>
  const config: ProfileConfig = {
    broker: () => broker,
    credential: () => credential,
    saveBroker: (given) => {
      broker = given
      saved.push(given)
      return Promise.resolve()
    },
    saveHints: () => Promise.resolve(),
    reload: () => undefined,
    saveCredential: (given) => {
      credential = given
      saved.push(given)
      return Promise.resolve()
    },
  }
  return { profile: await fixture.profile(name, { config }), saved }
}

/** Advances the clock until the promise is settled: the first to pair also waits for code to be loaded. */
async function settled<T>(fixture: EngineFixture, promise: Promise<T>): Promise<T> {
  let isSettled = false
  const end = (): void => {
    isSettled = true
  }
  promise.then(end, end)
  while (!hasEnded()) await fixture.clock.pass(50)
  return promise

  function hasEnded(): boolean {
    return isSettled
  }
}

async function codeOf(fixture: EngineFixture, owner: TestProfile): Promise<string> {
  const offer = await settled(fixture, owner.client.call("pair-offer", { kind: "code", wordCount: 2 }))
  return offer.kind === "code" ? `${offer.code}@broker.example` : ""
}

test("at a broker that admits everyone a newcomer needs only the code", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const { profile: bob, saved } = await newcomer(fixture, "bob")
  const carrier = await codeOf(fixture, alice)
  const answering = bob.client.call("pair-answer", { kind: "code", offer: carrier })
  expect((await settled(fixture, answering)).contact.name).toBe("alice")
  expect(saved).toEqual([
    BROKER,
    { kind: "account", deviceId: expect.stringMatching(/^[\w-]{22}$/) as string },
  ])
})

test("the owner's account is not passed on; the newcomer gets a hint what to ask for", async () => {
  const fixture = new EngineFixture()
  const account = {
    kind: "account",
    deviceId: "A".repeat(22),
    username: "alice",
    password: "hunter2",
  } as const
  const none = () => Promise.resolve()
  const config: ProfileConfig = {
    broker: () => BROKER,
    credential: () => account,
    saveBroker: none,
    saveCredential: none,
    saveHints: none,
    reload: () => undefined,
  }
  const alice = await fixture.profile("alice", { config })
  const { profile: bob, saved } = await newcomer(fixture, "bob")
  const carrier = await codeOf(fixture, alice)
  const answering = faultOf(bob.client.call("pair-answer", { kind: "code", offer: carrier }))
  expect(await settled(fixture, answering)).toMatchObject({ code: "refused" })
  expect(saved).toEqual([])
  const failed = alice.events.find((event) => event.kind === "pair-failed")
  expect(failed?.reason).toContain("your own account at the broker is not passed on")
  expect(await alice.client.call("offers", {})).toEqual([])
})

const KINDS: readonly PairingMessage["kind"][] = ["ask", "claim", "answer", "grant", "proof"]

test.each(KINDS)(
  "the pairing completes though the first %s after the code is typed is lost [P-20]",
  async (kind) => {
    const fixture = new EngineFixture()
    const alice = await fixture.profile("alice")
    const { profile: bob } = await newcomer(fixture, "bob")
    const carrier = await codeOf(fixture, alice)
    let lost = 0
    fixture.broker.tamper = (topic, payload) => {
      const isLost = topic.startsWith("mc/1/p/") && decodePairing(payload)?.kind === kind && lost++ === 0
      return isLost ? [] : [payload]
    }
    const answering = bob.client.call("pair-answer", { kind: "code", offer: carrier })
    expect((await settled(fixture, answering)).contact.name).toBe("alice")
    expect(lost).toBeGreaterThan(0)
    expect(await alice.client.call("contacts", {})).toHaveLength(1)
  },
)
