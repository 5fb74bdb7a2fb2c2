import { expect, test } from "vitest"
import type { Offer } from "../../src/engine/api.ts"
import type { BrokerConfig, ProfileConfig } from "../../src/engine/state/ports.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import type { ConnectTarget } from "../../src/transport/transport.ts"
import { faultOf } from "../transport/transport-fixture.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"
import { carrierOf } from "./pairing-fixture.ts"

const ADDRESS = { host: "broker.example", port: 1883 }
const WITHOUT_TLS: BrokerConfig = { address: ADDRESS, trust: { kind: "insecure" } }
const WITH_TLS: readonly BrokerConfig[] = [
  { address: ADDRESS, trust: { kind: "name" } },
  { address: ADDRESS, trust: { kind: "pin", pin: new Uint8Array(16).fill(1) } },
]
const ACCOUNT = { kind: "account", deviceId: "A".repeat(22) } as const

type User = {
  readonly profile: TestProfile
  /** What the profile knows now. */
  readonly config: { broker: BrokerConfig | undefined; credential: StoredCredential | undefined }
  /** Every connection that it tried. */
  readonly targets: readonly ConnectTarget[]
}

async function newUser(fixture: EngineFixture, name: string, broker?: BrokerConfig): Promise<User> {
  const known: User["config"] = {
    broker,
    credential: broker && { ...ACCOUNT, deviceId: name.padEnd(22, "A") },
  }
  const targets: ConnectTarget[] = []
  const config: ProfileConfig = {
    broker: () => known.broker,
    credential: () => known.credential,
    saveBroker: (given) => {
      known.broker = given
      return Promise.resolve()
    },
    saveCredential: (given) => {
      known.credential = given
      return Promise.resolve()
    },
    saveHints: () => Promise.resolve(),
    reload: () => undefined,
  }
  const profile = await fixture.profile(name, {
    config,
    connect: (target, events) => {
      targets.push(target)
      return fixture.broker.connect(target, events)
    },
  })
  return { profile, config: known, targets }
}

/** Lets the clock run until the promise is settled. */
async function settled<T>(fixture: EngineFixture, promise: Promise<T>): Promise<T> {
  const state = { isSettled: false }
  const end = (): void => {
    state.isSettled = true
  }
  promise.then(end, end)
  while (!state.isSettled) await fixture.clock.pass(50)
  return promise
}

async function offerOf(fixture: EngineFixture, owner: User, kind: Offer["kind"]): Promise<string> {
  const offering = owner.profile.client.call("pair-offer", { kind, wordCount: 2 })
  const carrier = carrierOf(await settled(fixture, offering))
  return kind === "code" ? `${carrier}@broker.example:1883` : carrier
}

function answer(user: User, kind: Offer["kind"], offer: string, insecureTransport?: boolean) {
  const choice = insecureTransport === undefined ? {} : { insecureTransport }
  return user.profile.client.call("pair-answer", { kind, offer, ...choice })
}

function transports({ targets }: User): Set<string> {
  return new Set(targets.map(({ trust }) => trust.kind))
}

test("a newcomer who asks for it pairs by code at a broker without TLS, and is a member there [P-28]", async () => {
  const fixture = new EngineFixture()
  const alice = await newUser(fixture, "alice", WITHOUT_TLS)
  const bob = await newUser(fixture, "bob")
  const paired = await settled(fixture, answer(bob, "code", await offerOf(fixture, alice, "code"), true))
  expect(paired.contact.name).toBe("alice")
  expect(bob.config.broker).toEqual(WITHOUT_TLS)
  expect(bob.config.credential?.kind).toBe("account")
  expect(await bob.profile.client.call("status", {})).toMatchObject({ insecureTransport: true })
})

test.each(["code", "link", "file"] as const)(
  "a newcomer who did not ask for it refuses a %s that hands over a broker without TLS [P-28]",
  async (kind) => {
    const fixture = new EngineFixture()
    const mallory = await newUser(fixture, "mallory", WITHOUT_TLS)
    const bob = await newUser(fixture, "bob")
    const offer = await offerOf(fixture, mallory, kind)
    const fault = await settled(fixture, faultOf(answer(bob, kind, offer)))
    expect(fault.code).toBe("refused")
    expect(fault.hint).toContain("--insecure-transport")
    expect(bob.config).toEqual({ broker: undefined, credential: undefined })
    expect(transports(bob)).not.toContain("insecure")
    expect(await bob.profile.client.call("contacts", {})).toEqual([])
  },
)

test.each(["code", "link", "file"] as const)(
  "a newcomer who asked for none refuses a %s that hands over a broker with TLS [P-28]",
  async (kind) => {
    for (const broker of WITH_TLS) {
      const fixture = new EngineFixture()
      const alice = await newUser(fixture, "alice", broker)
      const bob = await newUser(fixture, "bob")
      const offer = await offerOf(fixture, alice, kind)
      const fault = await settled(fixture, faultOf(answer(bob, kind, offer, true)))
      // A pin is refused before: nothing that a connection without TLS shows has it.
      expect(["refused", "protocol"]).toContain(fault.code)
      expect(bob.config).toEqual({ broker: undefined, credential: undefined })
    }
  },
)

test.each(["link", "file"] as const)(
  "a member with TLS is not moved by a %s for the same address without TLS, nor the reverse [P-28]",
  async (kind) => {
    for (const [owner, member] of [...WITH_TLS].flatMap((tls) => [
      [WITHOUT_TLS, tls] as const,
      [tls, WITHOUT_TLS] as const,
    ])) {
      const fixture = new EngineFixture()
      const mallory = await newUser(fixture, "mallory", owner)
      const bob = await newUser(fixture, "bob", member)
      const offer = await offerOf(fixture, mallory, kind)
      const fault = await settled(fixture, faultOf(answer(bob, kind, offer)))
      expect(fault.code).toBe("config")
      expect(bob.config.broker).toEqual(member)
      expect(transports(bob)).toEqual(new Set([member.trust.kind]))
    }
  },
)

test.each(["code", "link", "file"] as const)(
  "a member with TLS who types the words for none with a %s is refused and stays [P-28]",
  async (kind) => {
    for (const member of WITH_TLS) {
      const fixture = new EngineFixture()
      const alice = await newUser(fixture, "alice", WITHOUT_TLS)
      const bob = await newUser(fixture, "bob", member)
      const offer = await offerOf(fixture, alice, kind)
      expect((await settled(fixture, faultOf(answer(bob, kind, offer, true)))).code).toBe("usage")
      expect(bob.config.broker).toEqual(member)
      expect(transports(bob)).toEqual(new Set([member.trust.kind]))
    }
  },
)

test("a member without TLS pairs with another by code, link and file, and types nothing more", async () => {
  const fixture = new EngineFixture()
  const alice = await newUser(fixture, "alice", WITHOUT_TLS)
  for (const [name, kind] of [
    ["bob", "code"],
    ["carol", "link"],
    ["dora", "file"],
  ] as const) {
    const other = await newUser(fixture, name, WITHOUT_TLS)
    const paired = await settled(fixture, answer(other, kind, await offerOf(fixture, alice, kind)))
    if (kind !== "file") expect(paired.contact.name).toBe("alice")
    expect(transports(other)).toEqual(new Set(["insecure"]))
  }
})

test("the API sets a broker without TLS only for a profile without one, and never beside a pin or a certificate", async () => {
  const device = { kind: "device", deviceId: "D".repeat(22), certificate: "", key: "" } as const
  for (const [broker, credential, pin, expected] of [
    [WITH_TLS[0], ACCOUNT, null, "config"],
    [WITH_TLS[1], ACCOUNT, null, "config"],
    [WITHOUT_TLS, ACCOUNT, "00".repeat(16), "usage"],
    [undefined, device, null, "config"],
  ] as const) {
    const fixture = new EngineFixture()
    const alice = await newUser(fixture, "alice", broker)
    alice.config.credential = credential
    const params = { addresses: "broker.example:1883", pin, insecureTransport: true } as const
    expect((await settled(fixture, faultOf(alice.profile.client.call("set-broker", params)))).code).toBe(
      expected,
    )
    expect(alice.config.broker).toEqual(broker)
  }
  const fixture = new EngineFixture()
  const bob = await newUser(fixture, "bob")
  const params = { addresses: "broker.example:1883", pin: null, insecureTransport: true } as const
  await settled(fixture, bob.profile.client.call("set-broker", params))
  expect(bob.config.broker).toEqual(WITHOUT_TLS)
})

test("a member without TLS whose broker has another address is told how to set it, without the stranger's word", async () => {
  const fixture = new EngineFixture()
  const alice = await newUser(fixture, "alice", WITHOUT_TLS)
  const offer = (await offerOf(fixture, alice, "code")).replace("broker.example", "moved.example")
  const bob = await newUser(fixture, "bob", WITHOUT_TLS)
  const { code, hint } = await settled(fixture, faultOf(answer(bob, "code", offer)))
  expect(code).toBe("config")
  expect(hint).toContain("mqttchat config set broker HOST[:PORT] --insecure-transport")
  expect(hint).not.toContain("moved.example")
})
