import { expect, test } from "vitest"
import type { BrokerConfig, ProfileConfig } from "../../src/engine/state/ports.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import type { ConnectTarget } from "../../src/transport/transport.ts"
import { toHex, type PublicKey } from "../../src/crypto/bytes.ts"
import { EngineFixture } from "./engine-fixture.ts"

const [PIN, OTHER_PIN] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)]
const address = { host: "chat.example.org", port: 8883 }
const registrar = new Uint8Array(32).fill(3) as PublicKey
const BY_NAME: BrokerConfig = { address, trust: { kind: "name" }, registrar, mqttVersion: 4 }
const BY_PIN: BrokerConfig = { ...BY_NAME, trust: { kind: "pin", pin: PIN } }
const ACCOUNT = { kind: "account", deviceId: "A".repeat(22), username: "alice", password: "horse" } as const
const MALLORY = "mallory.example.net:8883"

type Chosen = { readonly addresses: string; readonly pin: string | null; readonly username?: string }

/** What the profile has when its user has set `chosen`, and what was shown to the brokers. */
async function set(before: BrokerConfig, chosen: Chosen) {
  const fixture = new EngineFixture()
  const known: { broker: BrokerConfig; credential: StoredCredential } = {
    broker: before,
    credential: ACCOUNT,
  }
  const targets: ConnectTarget[] = []
  const config: ProfileConfig = {
    broker: () => known.broker,
    credential: () => known.credential,
    saveBroker: (broker) => Promise.resolve(void (known.broker = broker)),
    saveCredential: (credential) => Promise.resolve(void (known.credential = credential)),
    saveHints: () => Promise.resolve(),
    reload: () => undefined,
  }
  const { client } = await fixture.profile("alice", {
    config,
    connect: (target, events) => {
      targets.push(target)
      return fixture.broker.connect(target, events)
    },
  })
  await client.call("set-broker", chosen)
  await fixture.clock.pass(60_000)
  return { ...known, shown: targets.filter(({ address: { host } }) => host !== address.host) }
}

test.each([
  ["another name, which any public certificate proves", BY_NAME, { addresses: MALLORY, pin: null }],
  ["a pin at another name", BY_NAME, { addresses: MALLORY, pin: toHex(OTHER_PIN) }],
  ["another pin", BY_PIN, { addresses: MALLORY, pin: toHex(OTHER_PIN) }],
  ["a name in place of a pin", BY_PIN, { addresses: MALLORY, pin: null }],
])("the account and the registrar do not go along to %s", async (_, before, chosen) => {
  const { broker, credential, shown } = await set(before, chosen)
  expect(credential).toEqual({ kind: "account", deviceId: ACCOUNT.deviceId })
  expect([broker.registrar, broker.mqttVersion]).toEqual([undefined, undefined])
  expect(shown.length).toBeGreaterThan(0)
  expect(JSON.stringify(shown)).not.toMatch(/alice|horse/)
})

test("an account that is typed for the other broker is shown to it", async () => {
  const { credential } = await set(BY_NAME, { addresses: MALLORY, pin: null, username: "al" })
  expect(credential).toEqual({ kind: "account", deviceId: ACCOUNT.deviceId, username: "al" })
})

test.each([
  ["under the same pin", BY_PIN, { addresses: MALLORY, pin: toHex(PIN) }],
  ["under one of its names", BY_NAME, { addresses: "chat.example.org:443,b.example.org", pin: null }],
])("the account and the registrar stay %s", async (_, before, chosen) => {
  const { broker, credential } = await set(before, chosen)
  expect(credential).toEqual(ACCOUNT)
  expect([broker.registrar, broker.mqttVersion]).toEqual([registrar, 4])
})

test("the account stays for a host that has a pin from now on", async () => {
  const { credential } = await set(BY_NAME, { addresses: "chat.example.org:8883", pin: toHex(PIN) })
  expect(credential).toEqual(ACCOUNT)
})
