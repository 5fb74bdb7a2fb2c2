import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { afterEach, beforeEach, expect, test } from "vitest"
import { Renewal } from "../../src/engine/connection/renewal.ts"
import type { BrokerConfig, DeviceCredential, Ports } from "../../src/engine/state/ports.ts"
import type { PublicKey } from "../../src/crypto/bytes.ts"
import { Fault } from "../../src/errors.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import type { Connect, ConnectionState } from "../../src/transport/transport.ts"
import { decodeInvitation } from "../../src/wire/registration.ts"
import { carrierOf, PairingFixture, type BrokerUser, type UserOptions } from "./pairing-fixture.ts"

const DAY = 24 * 3600 * 1000

let fixture: PairingFixture
/** The time on every clock but that of TLS. */
let now: number

beforeEach(async () => {
  now = Date.now()
  fixture = await PairingFixture.open({ now: () => now })
})
afterEach(() => fixture.end())

type Kept = BrokerUser["config"] & {
  readonly saved: () => Promise<Extract<StoredCredential, { kind: "device" }>>
}

/** The key store of an invited user, and the next credential that is saved there. */
async function invitedConfig(name: string): Promise<Kept> {
  const bytes = await fixture.registrarFixture.invite(name)
  const { address, trust } = fixture.registrarFixture.target()
  const broker = { address, trust, registrar: decodeInvitation(bytes)!.registrar } as BrokerConfig
  let credential: StoredCredential | undefined = { kind: "invitation", bytes }
  let onSaved: (saved: Extract<StoredCredential, { kind: "device" }>) => void = () => undefined
  return {
    broker,
    get credential() {
      return credential
    },
    set credential(saved) {
      credential = saved
      if (saved?.kind === "device") onSaved(saved)
    },
    saved: () => new Promise((resolve) => (onSaved = resolve)),
  }
}

async function online(user: BrokerUser): Promise<void> {
  while ((await user.next("connection")).connection.kind !== "online");
}

async function received(user: BrokerUser): Promise<string> {
  for (;;) {
    const { message } = await user.next("message")
    if (!message.mine) return message.text
  }
}

/** A connection that a test can declare dead, and the certificates shown over each. */
function cuttable(): { readonly connect: Connect; readonly shown: string[]; readonly cut: () => void } {
  const shown: string[] = []
  let onSaved: (state: ConnectionState) => void = () => undefined
  return {
    connect: (target, events) => {
      if (target.credential.kind === "device") {
        shown.push(target.credential.certificate)
        onSaved = events.onState
      }
      return connectMqtt(target, events)
    },
    shown,
    cut: () => onSaved({ kind: "offline", why: new Fault("unavailable", "the network is gone") }),
  }
}

function renewals(): number {
  return readFileSync(fixture.registrarFixture.ledgerPath, "utf8").split('"renewed"').length - 1
}

const endOf = ({ certificate }: { certificate: string }) =>
  Date.parse(new X509Certificate(certificate).validTo)
const options: UserOptions = { now: () => now }

test("two thirds through its validity a certificate is renewed over the profile's own connection, once [R-6]", async () => {
  const config = await invitedConfig("alice")
  const joined = config.saved()
  const alice = await fixture.openUser("alice", options, config)
  const first = await joined
  await online(alice)

  now += 59 * DAY
  alice.runTimers(DAY)
  now += DAY
  const renewed = config.saved()
  alice.runTimers(DAY)
  const second = await renewed
  alice.runTimers(DAY)

  expect(second).toMatchObject({ deviceId: first.deviceId, key: first.key, userId: first.userId })
  expect(endOf(second) - endOf(first)).toBeGreaterThan(59 * DAY)
  await alice.client.close()
  expect(renewals()).toBe(1)
})

test("after a break the connection comes back with the new certificate and all its subscriptions", async () => {
  const today = now
  now = today - 60 * DAY
  const config = await invitedConfig("alice")
  const network = cuttable()
  const alice = await fixture.openUser("alice", { ...options, connect: network.connect }, config)
  await online(alice)
  const bob = await fixture.member("bob", options)
  const offer = await alice.client.call("pair-offer", { kind: "file", wordCount: 2 })
  await bob.client.call("pair-answer", { kind: "file", offer: carrierOf(offer) })
  await alice.next("paired")
  await alice.client.call("send", { contact: "bob", text: "hello", wait: "delivered", timeoutMs: 60_000 })

  now = today
  const renewed = config.saved()
  alice.runTimers(DAY, DAY + 1)
  const { certificate } = await renewed
  network.cut()
  await online(alice)

  expect(network.shown.at(-1)).toBe(certificate)
  expect(network.shown).toHaveLength(2)
  await bob.client.call("send", { contact: "alice", text: "still there?", wait: "queued", timeoutMs: 0 })
  expect(await received(alice)).toBe("still there?")
})

test("an expired certificate is renewed as a guest, and the profile goes online by itself [R-6]", async () => {
  const today = now
  now = today - 100 * DAY
  const config = await invitedConfig("alice")
  const joined = config.saved()
  const alice = await fixture.openUser("alice", options, config)
  const first = await joined
  now = today
  const second = await config.saved()
  await online(alice)

  expect(endOf(first)).toBeLessThan(today)
  expect(endOf(second)).toBeGreaterThan(today + 89 * DAY)
  expect(second.deviceId).toBe(first.deviceId)
})

test("a new certificate that is expired by our own clock is reported, not renewed for ever", async () => {
  const config = await invitedConfig("alice")
  const network = cuttable()
  const alice = await fixture.openUser(
    "alice",
    { connect: network.connect, now: () => now + 200 * DAY },
    config,
  )
  await online(alice)
  network.cut()
  await alice.next("connection")
  const { connection } = await alice.next("connection")
  expect(connection).toMatchObject({ kind: "stopped" })
  expect(JSON.stringify(connection)).toContain("check this machine's clock")
})

test("a renewal that is answered after a join leaves the credential of the join alone", async () => {
  const device = { kind: "device", deviceId: "a", certificate: "old", key: "key" } as const
  let stored: StoredCredential = device
  let answer: (fresh: DeviceCredential) => void = () => undefined
  const renewal = new Renewal({
    config: {
      broker: () => undefined,
      credential: () => stored,
      saveBroker: () => Promise.resolve(),
      saveCredential: (credential) => {
        stored = credential
        return Promise.resolve()
      },
      saveHints: () => Promise.resolve(),
      reload: () => undefined,
    },
    renew: () => new Promise((resolve) => (answer = resolve)),
    after: () => () => undefined,
  })
  const request = {
    publisher: {} as Parameters<Ports["renew"]>[0]["publisher"],
    registrar: new Uint8Array(32) as PublicKey,
    credential: device,
    guest: false,
  }
  renewal.start(request)
  stored = { ...device, certificate: "of the join" }
  answer({ ...device, certificate: "renewed" })
  await renewal.finish()

  expect(stored.certificate).toBe("of the join")
})
