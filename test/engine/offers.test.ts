import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { useBackend } from "../../src/crypto/nacl.ts"
import { faultOf } from "../transport/transport-fixture.ts"
import { carrierOf, PairingFixture, type BrokerUser } from "./pairing-fixture.ts"

let fixture: PairingFixture

beforeEach(async () => {
  await useBackend()
  fixture = await PairingFixture.open()
})
afterEach(() => fixture.end())

type Kind = "code" | "link" | "file"

const offer = (owner: BrokerUser, kind: Kind) => owner.client.call("pair-offer", { kind, wordCount: 2 })
const answer = (user: BrokerUser, kind: Kind, carrier: string) =>
  user.client.call("pair-answer", { kind, offer: carrier })
const idsOf = async (owner: BrokerUser) => (await owner.client.call("offers", {})).map(({ id }) => id)

describe("offers of one profile", () => {
  it("live side by side, and each answer names the offer that it answers", async () => {
    const alice = await fixture.member("alice")
    const users = [
      await fixture.newcomer("bob"),
      await fixture.newcomer("carol"),
      await fixture.newcomer("dora"),
    ]
    const kinds = ["link", "file", "code"] as const
    const offers = [await offer(alice, "link"), await offer(alice, "file"), await offer(alice, "code")]
    expect(new Set(await idsOf(alice))).toEqual(new Set(offers.map(({ id }) => id)))
    for (const [at, user] of users.entries()) {
      const given = offers[at]!
      const carrier = given.kind === "code" ? `${given.code}@${fixture.address}` : carrierOf(given)
      await answer(user, kinds[at]!, carrier)
      expect((await alice.next("paired")).offer).toBe(given.id)
    }
    expect(await idsOf(alice)).toEqual([])
  })

  it("end one by one, by their id; what was cancelled is answered no more", async () => {
    const alice = await fixture.member("alice")
    const [bob, carol] = [await fixture.newcomer("bob"), await fixture.newcomer("carol")]
    const [code, link, kept] = [
      await offer(alice, "code"),
      await offer(alice, "link"),
      await offer(alice, "link"),
    ]
    await alice.client.call("pair-cancel", { id: code.id })
    await alice.client.call("pair-cancel", { id: link.id })
    expect(await idsOf(alice)).toEqual([kept.id])
    expect(await faultOf(alice.client.call("pair-cancel", { id: link.id }))).toMatchObject({
      code: "not-found",
    })
    const dead = faultOf(answer(bob, "code", `${carrierOf(code)}@${fixture.address}`))
    expect(await dead).toMatchObject({ code: "refused" })
    expect((await answer(carol, "link", carrierOf(kept))).contact.name).toBe("alice")
  })

  it("without an id the last one ends", async () => {
    const alice = await fixture.member("alice")
    const first = await offer(alice, "link")
    await offer(alice, "file")
    await alice.client.call("pair-cancel", {})
    await alice.client.call("pair-cancel", {})
    expect(await idsOf(alice)).toEqual([first.id])
  })

  it("are refused rather than replaced when there are too many: two codes, 32 others", async () => {
    const alice = await fixture.member("alice")
    const codes = await Promise.allSettled(Array.from({ length: 4 }, () => offer(alice, "code")))
    expect(codes.filter(({ status }) => status === "fulfilled")).toHaveLength(2)
    const refusal = { code: "refused", hint: "mqttchat pair --list, then: mqttchat pair --cancel ID" }
    expect(await faultOf(offer(alice, "code"))).toMatchObject(refusal)
    for (let made = 0; made < 32; made++) await offer(alice, "link")
    expect(await faultOf(offer(alice, "file"))).toMatchObject(refusal)
    expect(await idsOf(alice)).toHaveLength(34)
  })
})

describe("pairing again with a verified contact", () => {
  it.each(["code", "link", "file"] as const)("by a %s asks both to compare again", async (kind) => {
    const alice = await fixture.member("alice")
    const bob = await fixture.member("bob")
    const pair = async () => {
      const given = await offer(alice, kind)
      await answer(bob, kind, carrierOf(given))
      await alice.next("paired")
    }
    await pair()
    for (const [user, contact] of [
      [alice, "bob"],
      [bob, "alice"],
    ] as const) {
      await user.client.call("mark-verified", { contact, verified: true })
    }
    await pair()
    for (const user of [alice, bob]) {
      expect(await user.client.call("contacts", {})).toMatchObject([{ verified: false, keyChangedAt: null }])
    }
  })

  it("not even if the owner never answers: the new session is what would be used", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.member("bob")
    await answer(bob, "link", carrierOf(await offer(alice, "link")))
    await bob.client.call("mark-verified", { contact: "alice", verified: true })
    const file = carrierOf(await offer(alice, "file"))
    await alice.client.close()
    await answer(bob, "file", file)
    expect(await bob.client.call("contacts", {})).toMatchObject([{ verified: false, state: "init-sent" }])
  })
})
