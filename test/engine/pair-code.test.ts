import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { pinOf } from "../../src/broker/certificates.ts"
import { equal } from "../../src/crypto/bytes.ts"
import { useBackend } from "../../src/crypto/nacl.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { CODE_LIFETIME_MS, FINISH_WITHIN_MS, REPEAT_MS } from "../../src/pairing/timeouts.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import type { Connect } from "../../src/transport/transport.ts"
import { newBrokerFixture, portOf } from "../broker/broker-fixture.ts"
import { openTransport, faultOf } from "../transport/transport-fixture.ts"
import { until } from "../until.ts"
import { GuestCaller } from "./guests.ts"
import { PairingFixture, type BrokerUser } from "./pairing-fixture.ts"

const DEAD =
  "the code did not match, or someone else used it; it is now invalid on both sides and no contact was saved"
const NOT_ON_OFFER =
  "this code is not valid: a code lasts ten minutes and works for one try; no contact was saved"

let fixture: PairingFixture

beforeEach(async () => {
  await useBackend()
  fixture = await PairingFixture.open()
})
afterEach(() => fixture.end())

const answer = (user: BrokerUser, carrier: string) =>
  user.client.call("pair-answer", { kind: "code", offer: carrier })

/** Changes the last word to another one. */
function mistyped(carrier: string): string {
  return carrier.replace(/-[a-z]+@/, (word) => (word === "-zoo@" ? "-zone@" : "-zoo@"))
}

async function expectNothingSaved(...users: readonly BrokerUser[]): Promise<void> {
  for (const user of users) {
    expect(await user.client.call("contacts", {})).toEqual([])
    expect((await user.store.load()).openBundles).toEqual([])
  }
}

async function expectMessages(from: BrokerUser, to: BrokerUser): Promise<void> {
  const [contact] = await from.client.call("contacts", {})
  await from.client.call("send", { contact: contact!.name, text: "hello", wait: "queued", timeoutMs: 0 })
  expect((await to.next("message")).message.text).toBe("hello")
}

describe("pairing by a spoken code", () => {
  it("registers a newcomer at the broker; both see the same four words and can write", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    const carrier = await fixture.code(alice)
    const [paired, result] = await Promise.all([answer(bob, carrier), alice.next("paired")])
    expect(paired).toMatchObject({ contact: { name: "alice" }, known: false, renamedFrom: null })
    expect(result).toMatchObject({ contact: { name: "bob" }, known: false, renamedFrom: null })
    expect(paired.words).toHaveLength(4)
    expect(result.words).toEqual([])
    expect(await alice.next("words")).toMatchObject({ contact: "bob", words: paired.words })
    expect(bob.config.credential?.kind).toBe("device")
    expect(bob.config.broker).toEqual(alice.config.broker)
    await expectMessages(bob, alice)
    await expectMessages(alice, bob)
  })

  it("needs neither host nor a second connection between members", async () => {
    const connects: string[] = []
    const connect: Connect = (target, events) => {
      connects.push(target.credential.kind)
      return connectMqtt(target, events)
    }
    const alice = await fixture.member("alice")
    const bob = await fixture.member("bob", { connect })
    const before = connects.length
    const [code] = (await fixture.code(alice, 3)).split("@")
    await answer(bob, code!)
    await expectMessages(bob, alice)
    expect(connects.length).toBe(before)
  })

  it("again with a known peer refreshes the contact, and its texts still arrive", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    await answer(bob, await fixture.code(alice))
    expect((await alice.next("paired")).known).toBe(false)
    const again = await answer(bob, await fixture.code(alice))
    expect(again.known).toBe(true)
    expect((await alice.next("paired")).known).toBe(true)
    expect(await bob.client.call("contacts", {})).toHaveLength(1)
    await expectMessages(alice, bob)
  })
})

describe("a wrong code", () => {
  it("is refused before anything is sent if the word is not in the list [P-1]", async () => {
    let connections = 0
    const counting: Connect = (target, events) => {
      connections++
      return connectMqtt(target, events)
    }
    const bob = await fixture.newcomer("bob", { connect: counting })
    const fault = await faultOf(answer(bob, `7-crwod-river@${fixture.address}`))
    expect(fault).toMatchObject({ code: "usage", hint: "mqttchat pair 7-crowd-river" })
    expect(connections).toBe(0)
  })

  it("both sides get the same fault, nothing is saved, and the code is dead for good [P-24] [P-25]", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    const carrier = await fixture.code(alice)
    const wrong = mistyped(carrier)
    const [fault, failed] = await Promise.all([faultOf(answer(bob, wrong)), alice.next("pair-failed")])
    expect(fault).toMatchObject({ code: "refused", message: DEAD })
    expect(failed.reason).toBe(DEAD)
    expect(failed.hint).toBe(fault.hint)
    await expectNothingSaved(alice, bob)
    expect(bob.config).toEqual({ broker: undefined, credential: undefined })
    expect((await faultOf(answer(bob, wrong))).message).toBe(DEAD)
  })

  it("five times within an hour makes new codes longer, until the hour is over [P-25]", async () => {
    let later = 0
    const alice = await fixture.member("alice", { now: () => Date.now() + later })
    for (let guess = 0; guess < 5; guess++) {
      const mallory = await fixture.newcomer("mallory")
      await faultOf(answer(mallory, mistyped(await fixture.code(alice))))
      await alice.next("pair-failed")
    }
    const words = async () => (await fixture.code(alice)).split("@")[0]?.split("-").length
    expect(await words()).toBe(4)
    await alice.client.call("pair-cancel", {})
    later = 3_600_000
    expect(await words()).toBe(3)
  })
})

describe("a code that is over", () => {
  it("because it was used: the third user gets that fault, and nothing is saved [P-21]", async () => {
    const alice = await fixture.member("alice")
    const [bob, carol] = [await fixture.newcomer("bob"), await fixture.newcomer("carol")]
    const carrier = await fixture.code(alice)
    await answer(bob, carrier)
    await alice.next("paired")
    const refused = faultOf(answer(carol, carrier))
    expect(await refused).toMatchObject({ code: "refused", message: NOT_ON_OFFER })
    await expectNothingSaved(carol)
    expect(carol.config.broker).toBeUndefined()
    expect(await alice.client.call("contacts", {})).toHaveLength(1)
  })

  it("because it expired: both get the same fault [P-20]", async () => {
    let later = 0
    const alice = await fixture.member("alice", { now: () => Date.now() + later })
    const bob = await fixture.newcomer("bob")
    const carrier = await fixture.code(alice)
    later = CODE_LIFETIME_MS
    alice.runTimers(REPEAT_MS - 1_000)
    expect((await alice.next("pair-failed")).reason).toBe(NOT_ON_OFFER)
    expect((await faultOf(answer(bob, carrier))).message).toBe(NOT_ON_OFFER)
    await expectNothingSaved(alice, bob)
  })

  it("because it was cancelled: nothing is left of it", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    const carrier = await fixture.code(alice)
    await alice.client.call("pair-cancel", {})
    expect((await faultOf(answer(bob, carrier))).message).toBe(NOT_ON_OFFER)
    await expectNothingSaved(alice, bob)
  })

  it("because it was taken back while the one who has it was being let in: nothing is left of it", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    const carrier = await fixture.code(alice)
    const { commit } = alice.store
    let taken: Promise<unknown> | undefined
    Object.assign(alice.store, {
      commit: async (writes: Parameters<typeof commit>[0]) => {
        if (writes.some(({ kind }) => kind === "open-bundle")) taken = alice.client.call("pair-cancel", {})
        // It is taken back before the bundle is on the disk.
        await new Promise(setImmediate)
        return commit(writes)
      },
    })
    expect((await faultOf(answer(bob, carrier))).code).not.toBe("bug")
    await taken
    await until(async () => (await alice.store.load()).openBundles.length === 0)
    await expectNothingSaved(alice, bob)
  })
})

describe("two users with one code", () => {
  it("at most one is admitted; all others get the same fault [P-23]", async () => {
    const alice = await fixture.member("alice")
    const users = [await fixture.newcomer("bob"), await fixture.newcomer("carol")]
    const carrier = await fixture.code(alice)
    const results = await Promise.allSettled(users.map((user) => answer(user, carrier)))
    const refused = results.filter(({ status }) => status === "rejected")
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason } of refused as PromiseRejectedResult[]) {
      expect([DEAD, NOT_ON_OFFER]).toContain((reason as Error).message)
    }
    const known = await alice.client.call("contacts", {})
    expect(known).toHaveLength(2 - refused.length)
    for (const [at, user] of users.entries()) {
      if (results[at]?.status === "rejected") await expectNothingSaved(user)
    }
  })
})

describe("an attacker in the path", () => {
  it("at a broker that is already pinned gets no message [P-15]", async () => {
    const alice = await fixture.member("alice")
    const { address } = fixture.registrarFixture.target()
    const pin = new Uint8Array(16).fill(7)
    const broker = { address, trust: { kind: "pin", pin } } as const
    const bob = await fixture.openUser("bob", {}, { broker, credential: undefined })
    const carrier = await fixture.code(alice)
    await faultOf(answer(bob, carrier))
    expect(bob.config.broker).toEqual(broker)
    const carol = await fixture.newcomer("carol")
    expect((await answer(carol, carrier)).contact.name).toBe("alice")
  })

  it("that relays every message between two brokers is detected by the pin [P-15]", async () => {
    const mallory = await newBrokerFixture()
    const trap = await mallory.start()
    const port = portOf(trap)
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    const [code = ""] = (await fixture.code(alice)).split("@")
    const topic = `mc/1/p/${code.split("-")[0] ?? ""}`

    const pin = pinOf(mallory.authority.caCertificate)
    const there = openTransport({
      address: { host: "127.0.0.1", port },
      trust: { kind: "pin", pin },
      credential: { kind: "guest" },
    })
    const here = openTransport(fixture.registrarFixture.target())
    const passed = new Set<string>()
    const relay = (to: typeof there) => (payload: Uint8Array) => {
      const key = Buffer.from(payload).toString("hex")
      if (passed.has(key)) return
      passed.add(key)
      void to.publish(topic, payload)
    }
    await Promise.all([here.listen(topic, relay(there)), there.listen(topic, relay(here))])

    const fault = await faultOf(answer(bob, `${code}@127.0.0.1:${port}`))
    expect(fault.code).toBe("protocol")
    expect(fault.message).toContain("someone may be intercepting")
    await until(() => alice.isWaitingFor(FINISH_WITHIN_MS))
    alice.runTimers(FINISH_WITHIN_MS, FINISH_WITHIN_MS + 1)
    expect((await alice.next("pair-failed")).reason).toContain("did not finish")
    await expectNothingSaved(bob)
    expect(await alice.client.call("contacts", {})).toEqual([])
    expect(bob.config).toEqual({ broker: undefined, credential: undefined })
    await Promise.all([here.close(), there.close()])
    await mallory.end()
  })
})

it("a stop that a stranger forges after the grant ends nothing: both keep the contact [P-24]", async () => {
  const alice = await fixture.member("alice")
  const carrier = await fixture.code(alice)
  const mallory = await GuestCaller.open(fixture.registrarFixture.target(), carrier)
  const bob = await fixture.newcomer("bob")
  const { commit } = bob.store
  let goOn = (): void => undefined
  const forged = new Promise<void>((resolve) => (goOn = resolve))
  let tries = 0
  Object.assign(bob.store, {
    commit: async (writes: Parameters<typeof commit>[0]) => {
      // The second time strikes the try out: he has the grant, and has not used it.
      if (writes.some((write) => write.kind === "setting" && write.key === "pairing") && ++tries === 2)
        await forged
      return commit(writes)
    },
  })
  const answering = answer(bob, carrier)
  await mallory.has("grant")
  await until(() => alice.isWaitingFor(FINISH_WITHIN_MS))
  const grant = mallory.received.find((message) => message.kind === "grant")!
  await mallory.publish({ kind: "stop", caller: grant.caller })
  const late = systemRandom(16)
  await mallory.publish({ kind: "ask", caller: late })
  const isAnswered = () =>
    mallory.received.some((message) => message.kind === "stop" && equal(message.caller, late))
  // Alice has received both.
  await until(() => isAnswered() || alice.events.some(({ kind }) => kind === "pair-failed"))
  const isFailed = alice.events.some(({ kind }) => kind === "pair-failed")
  const { openBundles } = await alice.store.load()
  goOn()
  await mallory.close()
  expect([isFailed, openBundles.length]).toEqual([false, 1])
  expect((await answering).contact.name).toBe("alice")
  expect((await alice.next("paired")).contact.name).toBe("bob")
  expect(alice.events.some(({ kind }) => kind === "pair-failed")).toBe(false)
  await expectMessages(bob, alice)
})

describe("where to pair", () => {
  it("a code is not answered by the profile that shows it, and stays valid [P-27]", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    const carrier = await fixture.code(alice)
    const fault = await faultOf(answer(alice, carrier))
    expect(fault.message).toBe("this code is in use on this laptop")
    expect((await answer(bob, carrier)).contact.name).toBe("alice")
  })

  it("a fresh profile may pair while its first certificate is still on its way", async () => {
    const alice = await fixture.invited("alice")
    const bob = await fixture.newcomer("bob")
    expect((await answer(bob, await fixture.code(alice))).contact.name).toBe("alice")
    const [carol, dora] = [await fixture.invited("carol"), await fixture.member("dora")]
    expect((await answer(carol, await fixture.code(dora))).contact.name).toBe("dora")
  })

  it("a code for another broker than the profile's is refused", async () => {
    const other = await newBrokerFixture()
    const port = portOf(await other.start())
    const bob = await fixture.member("bob")
    const fault = await faultOf(answer(bob, `7-crowd-river@127.0.0.1:${port}`))
    expect(fault).toMatchObject({ code: "config" })
    expect(fault.message).toContain(`127.0.0.1:${port} is another one`)
    await other.end()
  })

  it("the profile's own broker may be named by another address", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.member("bob")
    const carrier = (await fixture.code(alice)).replace("127.0.0.1", "localhost")
    expect((await answer(bob, carrier)).contact.name).toBe("alice")
  })

  it("a broker that does not answer is reported at once", async () => {
    const bob = await fixture.newcomer("bob")
    const fault = await faultOf(answer(bob, "7-crowd-river@127.0.0.1:1"))
    expect(fault.code).toBe("unavailable")
  })

  it("without a broker a profile cannot offer, and a newcomer must name one", async () => {
    const bob = await fixture.newcomer("bob")
    expect((await faultOf(fixture.code(bob))).code).toBe("config")
    expect((await faultOf(answer(bob, "7-crowd-river"))).code).toBe("usage")
  })

  it("if members may not invite, both get the reason [R-5]", async () => {
    await fixture.end()
    fixture = await PairingFixture.open({ membersMayInvite: false })
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    const [fault, failed] = await Promise.all([
      faultOf(answer(bob, await fixture.code(alice))),
      alice.next("pair-failed"),
    ])
    expect(fault.message).toBe("the other side may not invite to its broker; no contact was saved")
    expect(failed.reason).toBe("members of this broker may not invite others")
    await expectNothingSaved(alice, bob)
  })
})
