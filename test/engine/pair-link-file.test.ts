import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Params } from "../../src/engine/api.ts"
import { BUNDLE_WITHIN_MS } from "../../src/engine/pairing/answer-link.ts"
import { useBackend } from "../../src/crypto/nacl.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { Fault } from "../../src/errors.ts"
import { REPEAT_MS } from "../../src/pairing/timeouts.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import type { Connect, Transport } from "../../src/transport/transport.ts"
import {
  LINK_ANSWER_BYTES,
  LINK_REQUEST_BYTES,
  openLinkAnswer,
  parsePairingLink,
  sealLinkAnswer,
} from "../../src/wire/pairing-link.ts"
import { faultOf } from "../transport/transport-fixture.ts"
import { carrierOf, PairingFixture, type BrokerUser } from "./pairing-fixture.ts"
import { until } from "../until.ts"

type By = Params<"pair-offer">["kind"]

let fixture: PairingFixture

beforeEach(async () => {
  await useBackend()
  fixture = await PairingFixture.open()
})
afterEach(() => fixture.end())

async function offer(owner: BrokerUser, by: By): Promise<string> {
  return carrierOf(await owner.client.call("pair-offer", { kind: by, wordCount: 2 }))
}

const answer = (user: BrokerUser, by: By, carrier: string) =>
  user.client.call("pair-answer", { kind: by, offer: carrier })

describe.each(["link", "file"] as const)("pairing by %s", (by) => {
  it("registers a newcomer at the broker, and both see the same four words", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    const [, result] = await Promise.all([
      offer(alice, by).then((carrier) => answer(bob, by, carrier)),
      alice.next("paired"),
    ])
    expect(result.contact.name).toBe("bob")
    const { words } = await bob.next("words")
    expect(words).toHaveLength(4)
    expect((await bob.client.call("verify", { contact: "alice" })).words).toEqual(words)
    expect(await alice.next("words")).toMatchObject({ contact: "bob", words })
    expect(bob.config.broker).toEqual(alice.config.broker)
    await alice.client.call("send", { contact: "bob", text: "hello", wait: "queued", timeoutMs: 0 })
    expect((await bob.next("message")).message).toMatchObject({ contact: "alice", text: "hello" })
  })

  it("works for a member as well", async () => {
    const [alice, bob] = [await fixture.member("alice"), await fixture.member("bob")]
    await answer(bob, by, await offer(alice, by))
    expect((await alice.next("paired")).contact.name).toBe("bob")
  })

  it("is for members only, and says so, if invitations are forbidden [R-5]", async () => {
    await fixture.end()
    fixture = await PairingFixture.open({ membersMayInvite: false })
    const alice = await fixture.member("alice")
    const carrier = await offer(alice, by)
    expect((await alice.next("notice")).text).toContain("members of this broker may not invite others")
    const bob = await fixture.newcomer("bob")
    expect((await faultOf(answer(bob, by, carrier))).code).toBe("refused")
    expect(bob.config).toEqual({ broker: undefined, credential: undefined })
    expect(await bob.client.call("contacts", {})).toEqual([])
  })

  it("that is truncated is refused before anything is sent [W-43] [P-40]", async () => {
    const alice = await fixture.member("alice")
    let connects = 0
    const connect: Connect = (target, events) => {
      connects++
      return connectMqtt(target, events)
    }
    const bob = await fixture.newcomer("bob", { connect })
    const carrier = await offer(alice, by)
    expect((await faultOf(answer(bob, by, carrier.slice(0, -40)))).code).toBe("bad-data")
    expect(connects).toBe(0)
    expect(bob.config.broker).toBeUndefined()
  })

  it("from the profile itself is refused", async () => {
    const alice = await fixture.member("alice")
    const carrier = await offer(alice, by)
    expect((await faultOf(answer(alice, by, carrier))).code).toBe("refused")
    expect(await alice.client.call("contacts", {})).toEqual([])
  })
})

describe("a link", () => {
  it("whose owner sends another bundle is not answered [W-45]", async () => {
    let replace = (answer: Uint8Array): Uint8Array => answer
    const meddling: Connect = (target, events) => {
      const transport = connectMqtt(target, events)
      const publish: Transport["publish"] = (topic, payload) =>
        transport.publish(topic, payload.length === LINK_ANSWER_BYTES ? replace(payload) : payload)
      return { ...transport, publish }
    }
    let received = 0
    const counting: Connect = (target, { onFrame, onState }) => {
      const count: typeof onFrame = async (topic, payload) => {
        await onFrame(topic, payload)
        if (payload.length === LINK_ANSWER_BYTES) received++
      }
      return connectMqtt(target, { onFrame: count, onState })
    }
    const alice = await fixture.member("alice", { connect: meddling })
    const [bob, carol] = [await fixture.member("bob", { connect: counting }), await fixture.member("carol")]
    const first = await offer(alice, "link")
    let bundle: Uint8Array | undefined
    replace = (sent) => {
      bundle ??= openLinkAnswer(parsePairingLink(first)!.bundleHash, sent)
      return sent
    }
    await answer(carol, "link", first)
    const second = await offer(alice, "link")
    const { bundleHash } = parsePairingLink(second)!
    replace = (sent) =>
      openLinkAnswer(bundleHash, sent) ? sealLinkAnswer(bundleHash, bundle!, systemRandom) : sent
    const waiting = faultOf(answer(bob, "link", second))
    await until(() => received > 0)
    expect(bob.isWaitingFor(BUNDLE_WITHIN_MS)).toBe(true)
    bob.runTimers(BUNDLE_WITHIN_MS)
    expect((await waiting).code).toBe("unavailable")
    expect(await bob.client.call("contacts", {})).toEqual([])
  })

  it("is asked for again when the first request is lost [P-20]", async () => {
    let lost = 0
    const connect: Connect = (target, events) => {
      const transport = connectMqtt(target, events)
      const publish: Transport["publish"] = (topic, payload) => {
        if (payload.length !== LINK_REQUEST_BYTES || lost++ > 0) return transport.publish(topic, payload)
        return Promise.reject(new Fault("unavailable", "the connection was lost"))
      }
      return { ...transport, publish }
    }
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob", { connect })
    const answering = answer(bob, "link", await offer(alice, "link"))
    await until(() => lost > 0)
    bob.runTimers(REPEAT_MS, BUNDLE_WITHIN_MS)
    expect((await answering).contact.name).toBe("alice")
  })

  it("whose owner is offline is reported after a while [P-20]", async () => {
    const alice = await fixture.member("alice")
    const bob = await fixture.newcomer("bob")
    const carrier = await offer(alice, "link")
    await alice.client.close()
    const waiting = faultOf(answer(bob, "link", carrier))
    await until(() => bob.isWaitingFor(BUNDLE_WITHIN_MS))
    bob.runTimers(BUNDLE_WITHIN_MS)
    expect(await waiting).toMatchObject({ code: "unavailable" })
    expect(await bob.client.call("contacts", {})).toEqual([])
  })
})
