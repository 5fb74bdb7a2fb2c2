import { expect, test } from "vitest"
import type { Home } from "../../src/chat/ports.ts"
import { decodePairing, type PairingMessage } from "../../src/wire/pairing.ts"
import { faultOf } from "../transport/transport-fixture.ts"
import { type Person, Town } from "./people.ts"

const BROKER = { address: { host: "broker.example", port: 8883 }, trust: { kind: "name" } } as const

/** Somebody whose profile is new, and what it has learnt. */
async function newcomer(town: Town, name: string): Promise<{ person: Person; saved: unknown[] }> {
  const saved: unknown[] = []
  let broker: ReturnType<Home["broker"]>
  let credential: ReturnType<Home["credential"]>
  const home: Home = {
    broker: () => broker,
    credential: () => credential,
    saveBroker: (given) => {
      broker = given
      saved.push(given)
      return Promise.resolve()
    },
    saveLearnt: () => Promise.resolve(),
    saveCredential: (given) => {
      credential = given
      saved.push(given)
      return Promise.resolve()
    },
  }
  return { person: await town.person(name, { home }), saved }
}

/** Time passes until the promise is settled: the first to pair also waits for code to be loaded. */
async function settled<T>(town: Town, promise: Promise<T>): Promise<T> {
  let isSettled = false
  const end = (): void => {
    isSettled = true
  }
  promise.then(end, end)
  while (!hasEnded()) await town.clock.pass(50)
  return promise

  function hasEnded(): boolean {
    return isSettled
  }
}

async function codeOf(town: Town, owner: Person): Promise<string> {
  const offer = await settled(town, owner.client.call("pair-offer", { by: "code", words: 2 }))
  return offer.by === "code" ? `${offer.code}@broker.example` : ""
}

test("at a broker that takes everybody a newcomer needs nothing but the code", async () => {
  const town = new Town()
  const alice = await town.person("alice")
  const { person: bob, saved } = await newcomer(town, "bob")
  const carrier = await codeOf(town, alice)
  const answering = bob.client.call("pair-answer", { by: "code", carrier })
  expect((await settled(town, answering)).contact.name).toBe("alice")
  expect(saved).toEqual([
    BROKER,
    { kind: "account", deviceId: expect.stringMatching(/^[\w-]{22}$/) as string },
  ])
})

test("an account of one's own is not handed on; the newcomer is told what to ask for", async () => {
  const town = new Town()
  const account = {
    kind: "account",
    deviceId: "A".repeat(22),
    username: "alice",
    password: "hunter2",
  } as const
  const none = () => Promise.resolve()
  const home: Home = {
    broker: () => BROKER,
    credential: () => account,
    saveBroker: none,
    saveCredential: none,
    saveLearnt: none,
  }
  const alice = await town.person("alice", { home })
  const { person: bob, saved } = await newcomer(town, "bob")
  const carrier = await codeOf(town, alice)
  const answering = faultOf(bob.client.call("pair-answer", { by: "code", carrier }))
  expect(await settled(town, answering)).toMatchObject({ code: "refused" })
  expect(saved).toEqual([])
  expect(alice.events.some(({ event }) => event === "pair-failed")).toBe(true)
})

const KINDS: readonly PairingMessage["kind"][] = ["ask", "claim", "answer", "grant", "proof"]

test.each(KINDS)(
  "the pairing is made though the first %s after the code is typed gets lost [P-20]",
  async (kind) => {
    const town = new Town()
    const alice = await town.person("alice")
    const { person: bob } = await newcomer(town, "bob")
    const carrier = await codeOf(town, alice)
    let lost = 0
    town.office.meddle = (topic, payload) => {
      const isLost = topic.startsWith("mc/1/p/") && decodePairing(payload)?.kind === kind && lost++ === 0
      return isLost ? [] : [payload]
    }
    const answering = bob.client.call("pair-answer", { by: "code", carrier })
    expect((await settled(town, answering)).contact.name).toBe("alice")
    expect(lost).toBeGreaterThan(0)
    expect(await alice.client.call("contacts", {})).toHaveLength(1)
  },
)
