import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { concat } from "../../src/crypto/bytes.ts"
import { useBackend } from "../../src/crypto/nacl.ts"
import { recentGuesses } from "../../src/engine/pairing/rate-memory.ts"
import { openState } from "../../src/engine/state/engine-state.ts"
import { drawShare, exchangeKeys } from "../../src/pairing/exchange.ts"

import { systemRandom } from "../../src/crypto/random.ts"
import { GRANT_WITHIN_MS } from "../../src/pairing/timeouts.ts"
import { encodePairing } from "../../src/wire/pairing.ts"
import { faultOf } from "../transport/transport-fixture.ts"
import { until } from "../until.ts"
import { GuestCaller, readCode } from "./guests.ts"
import { PairingFixture, type BrokerUser } from "./pairing-fixture.ts"

const DEAD =
  "the code did not match, or someone else used it; it is now invalid on both sides and no contact was saved"

let fixture: PairingFixture
const guests: GuestCaller[] = []

beforeEach(async () => {
  await useBackend()
  fixture = await PairingFixture.open()
})
afterEach(async () => {
  for (const guest of guests.splice(0)) await guest.close()
  await fixture.end()
})

async function mallory(carrier: string): Promise<GuestCaller> {
  const guest = await GuestCaller.open(fixture.registrarFixture.target(), carrier)
  guests.push(guest)
  return guest
}

/** As a member: a guest may not send so much at once. */
async function malloryWithDevice(carrier: string): Promise<GuestCaller> {
  const { client, config } = await fixture.member("mallory")
  await client.close()
  if (config.credential?.kind !== "device") throw new Error("no device")
  const guest = await GuestCaller.open(fixture.registrarFixture.target(config.credential), carrier)
  guests.push(guest)
  return guest
}

function wrong(carrier: string): string {
  return carrier.replace(/-[a-z]+@/, (word) => (word === "-zoo@" ? "-zone@" : "-zoo@"))
}

const answer = (user: BrokerUser, carrier: string) =>
  user.client.call("pair-answer", { kind: "code", offer: carrier })

/** What the disk says, as after kill -9. */
async function guessesOnDisk(user: BrokerUser): Promise<number> {
  return recentGuesses(openState(await user.store.load()), Date.now())
}

const wordsOf = (carrier: string) => carrier.split("@")[0]!.split("-").length - 1

describe("an answer by someone who may not have the code", () => {
  it("gets no proof and no bundle until it has proved the code [P-13]", async () => {
    const alice = await fixture.member("alice")
    const carrier = await fixture.code(alice)
    const guest = await mallory(carrier)
    guest.isProving = false
    await guest.answer(wrong(carrier))
    await guest.has("share")
    await guest.answer(wrong(carrier))
    await until(() => guest.count("share") > 1)
    expect(guest.count("grant")).toBe(0)
    expect(guest.received.every((message) => encodePairing(message).length < 128)).toBe(true)
  })

  it("is on disk as a guess before the share leaves, and her screen says so at once [P-25]", async () => {
    const alice = await fixture.member("alice")
    const carrier = await fixture.code(alice)
    const guest = await mallory(carrier)
    guest.isProving = false
    const { commit } = alice.store
    let leftBefore = 0
    Object.assign(alice.store, {
      commit: async (writes: Parameters<typeof commit>[0]) => {
        const report = await commit(writes)
        if (writes.some((write) => write.kind === "setting" && write.key === "pairing"))
          leftBefore = guest.count("share") + guest.count("stop")
        return report
      },
    })
    await guest.answer(wrong(carrier))
    await alice.next("pair-answered")
    await guest.has("share")
    expect(leftBefore).toBe(0)
    expect(await guessesOnDisk(alice)).toBe(1)
  })

  it("counts although the owner cancels, five of five times; then codes have three words [P-25]", async () => {
    const alice = await fixture.member("alice")
    for (let guess = 0; guess < 5; guess++) {
      const carrier = await fixture.code(alice)
      expect(wordsOf(carrier)).toBe(2)
      const guest = await mallory(carrier)
      guest.isProving = false
      await guest.answer(wrong(carrier))
      await guest.has("share")
      await alice.client.call("pair-cancel", {})
    }
    expect(await guessesOnDisk(alice)).toBe(5)
    expect(wordsOf(await fixture.code(alice))).toBe(3)
  })

  it("is struck out when it was right [P-25]", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    for (let count = 0; count < 6; count++) {
      const carrier = await fixture.code(alice)
      expect(wordsOf(carrier)).toBe(2)
      await answer(bob, carrier)
      await alice.next("paired")
      expect(await guessesOnDisk(alice)).toBe(0)
    }
  })

  it("keeps no one else out while it is silent [P-22]", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    const carrier = await fixture.code(alice)
    const guest = await mallory(carrier)
    guest.isProving = false
    await guest.answer(wrong(carrier))
    await guest.has("share")
    expect((await answer(bob, carrier)).contact.name).toBe("alice")
    await guest.has("stop")
    expect(await guessesOnDisk(alice)).toBe(1)
  })

  it("fifteen wrong ones leave a code of three words valid [P-22]", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    const carrier = await fixture.code(alice, 3)
    const guest = await malloryWithDevice(carrier)
    for (let count = 0; count < 15; count++) {
      await guest.answer(wrong(carrier))
      expect((await alice.next("pair-guessed")).left).toBe(15 - count)
    }
    expect((await answer(bob, carrier)).contact.name).toBe("alice")
  })
})

it("two codes at once count each their own guesses [P-25]", async () => {
  const alice = await fixture.member("alice")
  const codes = await Promise.all([fixture.code(alice, 3), fixture.code(alice, 3)])
  expect(await faultOf(fixture.code(alice))).toMatchObject({ code: "refused" })
  const both = await Promise.all(codes.map(mallory))
  await Promise.all(both.map((guest, at) => guest.answer(wrong(codes[at]!))))
  await until(() => both.every((guest) => guest.count("stop") > 0))
  expect(await guessesOnDisk(alice)).toBe(2)
})

it("a code whose owner stayed silent after our proof is not proved again [P-25]", async () => {
  let later = 0
  const bob = await fixture.member("bob", { now: () => Date.now() + later })
  const code = readCode("7-crowd-river")
  const guest = await mallory("7-crowd-river")
  const owner = systemRandom(16)
  const claiming = setInterval(() => void guest.publish({ kind: "claim", owner }), 50)
  const answering = faultOf(answer(bob, "7-crowd-river"))
  await guest.has("answer")
  clearInterval(claiming)
  const call = guest.received.find((message) => message.kind === "answer")!
  const own = drawShare(code, concat(owner, call.caller), systemRandom)!
  await guest.publish({ kind: "share", caller: call.caller, share: own.share })
  await guest.has("proof")
  const transcript = { sid: concat(owner, call.caller), callerShare: call.share, ownerShare: own.share }
  const keys = exchangeKeys(own.scalar, call.share, transcript)!
  const proof = guest.received.find((message) => message.kind === "proof")
  // One guess, and it was right: this is all that an owner in the path can learn.
  expect(proof).toEqual({ kind: "proof", caller: call.caller, proof: keys.callerProof })
  later = GRANT_WITHIN_MS
  bob.runTimers(0)
  expect((await answering).code).toBe("unavailable")
  expect((await faultOf(answer(bob, "7-crowd-river"))).message).toBe(DEAD)
})
