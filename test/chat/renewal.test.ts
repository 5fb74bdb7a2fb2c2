import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { afterEach, beforeEach, expect, test } from "vitest"
import type { BrokerHome } from "../../src/chat/ports.ts"
import { Fault } from "../../src/errors.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import type { Connect, ConnectionState } from "../../src/transport/transport.ts"
import { decodeInvitation } from "../../src/wire/registration.ts"
import { carrierOf, Household, type Tenant, type Wishes } from "./household.ts"

const DAY = 24 * 3600 * 1000

let house: Household
/** What everybody's clock says, but not that of TLS. */
let now: number

beforeEach(async () => {
  now = Date.now()
  house = await Household.open({ now: () => now })
})
afterEach(() => house.end())

type Kept = Tenant["home"] & { readonly saved: () => Promise<Extract<StoredCredential, { kind: "device" }>> }

/** What an invited person keeps, and the next credential that is saved there. */
async function invitedHome(name: string): Promise<Kept> {
  const bytes = await house.town.invite(name)
  const { address, trust } = house.town.target()
  const broker = { address, trust, registrar: decodeInvitation(bytes)!.registrar } as BrokerHome
  let credential: StoredCredential | undefined = { kind: "invitation", bytes }
  let tell: (saved: Extract<StoredCredential, { kind: "device" }>) => void = () => undefined
  return {
    broker,
    get credential() {
      return credential
    },
    set credential(saved) {
      credential = saved
      if (saved?.kind === "device") tell(saved)
    },
    saved: () => new Promise((resolve) => (tell = resolve)),
  }
}

async function online(tenant: Tenant): Promise<void> {
  while ((await tenant.next("link")).link.kind !== "online");
}

async function heard(tenant: Tenant): Promise<string> {
  for (;;) {
    const { message } = await tenant.next("message")
    if (!message.mine) return message.text
  }
}

/** A connection that a test can declare dead, and the certificates that were shown over each. */
function cuttable(): { readonly connect: Connect; readonly shown: string[]; readonly cut: () => void } {
  const shown: string[] = []
  let tell: (state: ConnectionState) => void = () => undefined
  return {
    connect: (target, events) => {
      if (target.credential.kind === "device") {
        shown.push(target.credential.certificate)
        tell = events.onState
      }
      return connectMqtt(target, events)
    },
    shown,
    cut: () => tell({ kind: "offline", why: new Fault("unavailable", "the network is gone") }),
  }
}

function renewals(): number {
  return readFileSync(house.town.ledgerPath, "utf8").split('"renewed"').length - 1
}

const endOf = ({ certificate }: { certificate: string }) =>
  Date.parse(new X509Certificate(certificate).validTo)
const wishes: Wishes = { now: () => now }

test("two thirds through its validity a certificate is renewed over the profile's own link, once [R-6]", async () => {
  const home = await invitedHome("alice")
  const joined = home.saved()
  const alice = await house.person("alice", wishes, home)
  const first = await joined
  await online(alice)

  now += 59 * DAY
  alice.hurry(DAY)
  now += DAY
  const renewed = home.saved()
  alice.hurry(DAY)
  const second = await renewed
  alice.hurry(DAY)

  expect(second).toMatchObject({ deviceId: first.deviceId, key: first.key, userId: first.userId })
  expect(endOf(second) - endOf(first)).toBeGreaterThan(59 * DAY)
  await alice.client.close()
  expect(renewals()).toBe(1)
})

test("after a break the link comes back with the new certificate, and hears all it did before", async () => {
  const today = now
  now = today - 60 * DAY
  const home = await invitedHome("alice")
  const network = cuttable()
  const alice = await house.person("alice", { ...wishes, connect: network.connect }, home)
  await online(alice)
  const bob = await house.member("bob", wishes)
  const offer = await alice.client.call("pair-offer", { by: "file", words: 2 })
  await bob.client.call("pair-answer", { by: "file", carrier: carrierOf(offer) })
  await alice.next("paired")
  await alice.client.call("send", { to: "bob", text: "hello", wait: "delivered", timeoutMs: 60_000 })

  now = today
  const renewed = home.saved()
  alice.hurry(DAY, DAY + 1)
  const { certificate } = await renewed
  network.cut()
  await online(alice)

  expect(network.shown.at(-1)).toBe(certificate)
  expect(network.shown).toHaveLength(2)
  await bob.client.call("send", { to: "alice", text: "still there?", wait: "disk", timeoutMs: 0 })
  expect(await heard(alice)).toBe("still there?")
})

test("an expired certificate is renewed as a guest, and the profile goes online by itself [R-6]", async () => {
  const today = now
  now = today - 100 * DAY
  const home = await invitedHome("alice")
  const joined = home.saved()
  const alice = await house.person("alice", wishes, home)
  const first = await joined
  now = today
  const second = await home.saved()
  await online(alice)

  expect(endOf(first)).toBeLessThan(today)
  expect(endOf(second)).toBeGreaterThan(today + 89 * DAY)
  expect(second.deviceId).toBe(first.deviceId)
})

test("a new certificate that is over by our own clock is told, not renewed for ever", async () => {
  const home = await invitedHome("alice")
  const network = cuttable()
  const alice = await house.person("alice", { connect: network.connect, now: () => now + 200 * DAY }, home)
  await online(alice)
  network.cut()
  await alice.next("link")
  const { link } = await alice.next("link")
  expect(link).toMatchObject({ kind: "stopped" })
  expect(JSON.stringify(link)).toContain("check this machine's clock")
})
