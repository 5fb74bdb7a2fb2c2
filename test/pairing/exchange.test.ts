import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { PublicKey } from "../../src/crypto/bytes.ts"
import {
  CLAIM_WITHIN_MS,
  CODE_LIFETIME_MS,
  GRANT_WITHIN_MS,
  LISTEN_MS,
  PROOF_WITHIN_MS,
  REPEAT_MS,
} from "../../src/pairing/timeouts.ts"
import { answerStep } from "../../src/pairing/answer.ts"
import { offerStep } from "../../src/pairing/offer.ts"
import { encodePairing, type PairingMessage } from "../../src/wire/pairing.ts"
import { Caller, chance, GRANT, FakeNameplate, Owner } from "./fake-nameplate.ts"

const CODE = "7-crowd-river"
const MISMATCH = { kind: "failed", why: "mismatch" }

function shown(): { plate: FakeNameplate; alice: Owner } {
  const plate = new FakeNameplate()
  const alice = new Owner(plate, CODE)
  plate.pass(LISTEN_MS)
  expect(alice.effects).toEqual([{ kind: "held" }])
  alice.effects.length = 0
  return { plate, alice }
}

function keysOf(plate: FakeNameplate, alice: Owner, bob: Caller): void {
  plate.pass(0)
  const [answered, keyed] = alice.effects
  const [got] = bob.effects
  expect(keyed).toEqual({ kind: "keyed" })
  if (answered?.kind !== "answered" || got?.kind !== "keyed") throw new Error("no key")
  expect(answered.guest).toBe(true)
  expect(got.psk).toEqual(answered.psk)
  expect(got.grant).toEqual(GRANT)
}

describe("the same code on both sides", () => {
  it("gives both the same key, without waiting for a timer [P-12] [P-14] [P-21]", () => {
    const { plate, alice } = shown()
    keysOf(plate, alice, new Caller(plate, CODE))
    expect(plate.now - 1_800_000_000_000).toBe(LISTEN_MS)
  })

  it("gives another key in every new exchange", () => {
    const keys = [1, 2].map(() => {
      const { plate, alice } = shown()
      keysOf(plate, alice, new Caller(plate, CODE))
      const [answered] = alice.effects
      return answered?.kind === "answered" ? answered.psk : undefined
    })
    expect(keys[0]).not.toEqual(keys[1])
  })

  it.each(["ask", "claim", "answer", "grant", "proof"] as const)(
    "survives the loss of the first %s [P-20]",
    (kind) => {
      const { plate, alice } = shown()
      let lost = 0
      plate.drops = (message) => message.kind === kind && lost++ === 0
      const bob = new Caller(plate, CODE)
      plate.pass(REPEAT_MS + LISTEN_MS)
      keysOf(plate, alice, bob)
      expect(lost).toBeGreaterThan(0)
    },
  )

  it("survives every message being sent twice", () => {
    const { plate, alice } = shown()
    const twice = (bytes: Uint8Array): void => {
      if (bytes.length % 2 === 0) plate.publish(bytes)
    }
    const bob = new Caller(plate, CODE)
    plate.deliver()
    for (const message of [...plate.published]) twice(encodePairing(message))
    keysOf(plate, alice, bob)
    plate.pass(PROOF_WITHIN_MS)
    expect(alice.effects).toHaveLength(2)
    expect(bob.effects).toHaveLength(1)
  })

  it("stops repeating the grant when the caller's INIT opens, which proves the code too [P-22]", () => {
    const { plate, alice } = shown()
    plate.drops = ({ kind }) => kind === "proof"
    const bob = new Caller(plate, CODE)
    plate.pass(2 * REPEAT_MS)
    expect(alice.state.kind).toBe("key")
    alice.feed({ kind: "paired" })
    expect(alice.effects.at(-1)).toEqual({ kind: "keyed" })
    const grants = plate.count("grant")
    plate.pass(PROOF_WITHIN_MS)
    expect(plate.count("grant")).toBe(grants)
    expect(bob.state.kind).toBe("peer")
  })

  it("repeats the grant as the same bytes [P-22]", () => {
    const { plate, alice } = shown()
    plate.drops = ({ kind }) => kind === "proof"
    const bob = new Caller(plate, CODE)
    plate.pass(3 * REPEAT_MS)
    const grants = plate.published.filter(({ kind }) => kind === "grant")
    expect(grants.length).toBeGreaterThan(2)
    expect(new Set(grants.map((grant) => Buffer.from(encodePairing(grant)).toString("hex"))).size).toBe(1)
    expect([alice.state.kind, bob.state.kind]).toEqual(["key", "peer"])
  })
})

describe("another code", () => {
  it("ends the exchange on both sides at once, and does not reveal the bundle [P-13] [P-24]", () => {
    const { plate, alice } = shown()
    const mallory = new Caller(plate, "7-crowd-rival")
    plate.pass(0)
    expect(mallory.effects).toEqual([MISMATCH])
    expect(alice.effects.at(-1)).toEqual(MISMATCH)
    expect([alice.state.kind, mallory.state.kind]).toEqual(["danger", "danger"])
  })

  it("is one guess: a later caller with the right code is refused [P-22] [P-23]", () => {
    const { plate, alice } = shown()
    const mallory = new Caller(plate, "7-crowd-rival")
    plate.pass(0)
    mallory.unsubscribe()
    const bob = new Caller(plate, CODE)
    plate.pass(CLAIM_WITHIN_MS)
    expect(bob.effects).toEqual([{ kind: "failed", why: "used" }])
    expect(alice.effects.some(({ kind }) => kind === "keyed")).toBe(false)
  })

  it("a wrong proof is not a second guess: the right one still counts [P-22]", () => {
    const { plate, alice } = shown()
    plate.drops = ({ kind }) => kind === "proof"
    const bob = new Caller(plate, CODE)
    plate.pass(0)
    plate.drops = () => false
    if (bob.state.kind !== "peer") throw new Error("not proven")
    plate.publish(encodePairing({ kind: "proof", caller: bob.state.caller, proof: chance(32) }))
    plate.deliver()
    expect(alice.state.kind).toBe("key")
    plate.pass(REPEAT_MS)
    expect(alice.state.kind).toBe("peer")
  })

  it.each(["owner", "caller"])("a share of low order from the %s ends it [P-12]", (who) => {
    const { plate, alice } = shown()
    const zero = new Uint8Array(32) as PublicKey
    if (who === "caller") {
      if (alice.state.kind !== "nameplate") throw new Error("not shown")
      const { owner } = alice.state.plate
      plate.publish(encodePairing({ kind: "answer", guest: true, owner, caller: chance(16), share: zero }))
      plate.deliver()
      expect(alice.effects).toEqual([MISMATCH])
      return
    }
    plate.drops = ({ kind }) => kind === "grant"
    const bob = new Caller(plate, CODE)
    plate.deliver()
    plate.drops = () => false
    if (bob.state.kind !== "owner") throw new Error("no owner")
    const { caller } = bob.state.typed
    const forged = { kind: "grant", caller, share: zero, proof: chance(32), nonce: chance(24) } as const
    plate.publish(encodePairing({ ...forged, box: chance(100) }))
    plate.deliver()
    expect(bob.effects).toEqual([MISMATCH])
  })
})

describe("two users with one code", () => {
  it("before either was served: it is dead for all three [P-23]", () => {
    const { plate, alice } = shown()
    alice.isQuick = false
    const [bob, carol] = [new Caller(plate, CODE), new Caller(plate, CODE)]
    plate.pass(0)
    expect(alice.effects.at(-1)).toEqual({ kind: "failed", why: "crowded" })
    for (const { effects } of [bob, carol]) expect(effects).toEqual([MISMATCH])
  })

  it("after the first was served: the second is refused, the first goes on [P-23]", () => {
    const { plate, alice } = shown()
    plate.drops = ({ kind }) => kind === "proof"
    const bob = new Caller(plate, CODE)
    plate.deliver()
    const carol = new Caller(plate, CODE)
    plate.deliver()
    expect(carol.effects).toEqual([{ kind: "failed", why: "used" }])
    plate.drops = () => false
    plate.pass(REPEAT_MS)
    keysOf(plate, alice, bob)
  })

  it("a caller that receives a grant for another caller stops [P-23]", () => {
    const { plate } = shown()
    plate.drops = ({ kind }) => kind === "grant"
    const bob = new Caller(plate, CODE)
    plate.deliver()
    plate.drops = () => false
    const foreign = {
      caller: chance(16),
      share: chance(32) as PublicKey,
      proof: chance(32),
      nonce: chance(24),
    }
    plate.publish(encodePairing({ kind: "grant", ...foreign, box: chance(50) }))
    plate.deliver()
    expect(bob.effects).toEqual([MISMATCH])
  })
})

describe("one nameplate for two codes", () => {
  it("stays with the owner that holds it [P-21]", () => {
    const { plate, alice } = shown()
    const dora = new Owner(plate, "7-ocean-zoo")
    plate.pass(LISTEN_MS)
    expect(dora.effects).toEqual([{ kind: "collision" }])
    dora.unsubscribe()
    keysOf(plate, alice, new Caller(plate, CODE))
  })

  it("is given up by both of two owners that come at once [P-21]", () => {
    const plate = new FakeNameplate()
    const owners = [new Owner(plate, CODE), new Owner(plate, "7-ocean-zoo")]
    plate.pass(LISTEN_MS)
    for (const { effects } of owners) expect(effects).toEqual([{ kind: "collision" }])
  })

  it("held by two owners makes a caller stop rather than guess [P-23]", () => {
    const { plate } = shown()
    plate.drops = ({ kind }) => kind === "grant"
    const bob = new Caller(plate, CODE)
    plate.deliver()
    plate.publish(encodePairing({ kind: "claim", owner: chance(16) }))
    plate.deliver()
    expect(bob.effects).toEqual([MISMATCH])
  })

  it("does not make two owners answer each other for ever", () => {
    const { plate } = shown()
    const before = plate.published.length
    for (let i = 0; i < 10; i++) plate.publish(encodePairing({ kind: "claim", owner: chance(16) }))
    plate.deliver()
    expect(plate.published.length).toBe(before + 10)
  })
})

describe("time", () => {
  it("ends an unused code after ten minutes, and no second earlier [P-20]", () => {
    const { plate, alice } = shown()
    plate.pass(CODE_LIFETIME_MS - 1)
    expect(alice.effects).toEqual([])
    plate.pass(1)
    expect(alice.effects).toEqual([{ kind: "failed", why: "expired" }])
  })

  it("ends an exchange without proof after two minutes [P-24]", () => {
    const { plate, alice } = shown()
    plate.drops = ({ kind }) => kind === "proof"
    new Caller(plate, CODE)
    plate.pass(PROOF_WITHIN_MS - 1)
    expect(alice.state.kind).toBe("key")
    plate.pass(1)
    expect(alice.effects.at(-1)).toEqual(MISMATCH)
  })

  it("ends a caller whose code is not offered within two and a half seconds [P-21]", () => {
    const plate = new FakeNameplate()
    const bob = new Caller(plate, CODE)
    plate.pass(CLAIM_WITHIN_MS)
    expect(bob.effects).toEqual([{ kind: "failed", why: "absent" }])
  })

  it("ends a caller whose owner disappeared", () => {
    const { plate, alice } = shown()
    plate.drops = ({ kind }) => kind === "answer"
    const bob = new Caller(plate, CODE)
    plate.deliver()
    alice.unsubscribe()
    plate.pass(GRANT_WITHIN_MS)
    expect(bob.effects).toEqual([{ kind: "failed", why: "silent" }])
  })
})

describe("anyone may write on a nameplate", () => {
  it("and bytes that are not a message change nothing on either side [P-26]", () => {
    const { plate, alice } = shown()
    plate.drops = ({ kind }) => kind === "grant"
    const bob = new Caller(plate, CODE)
    plate.deliver()
    const input = { now: plate.now, random: chance }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 150 }), (bytes) => {
        fc.pre(bytes[0] === undefined || bytes[0] > 5)
        const event = { kind: "message", bytes } as const
        expect(offerStep(alice.state, event, input)).toEqual({ next: alice.state, send: [] })
        expect(answerStep(bob.state, event, input)).toEqual({ next: bob.state, send: [] })
      }),
    )
  })

  it("and messages for others change nothing [P-26]", () => {
    const { plate, alice } = shown()
    const bob = new Caller(plate, CODE)
    plate.drops = ({ kind }) => kind === "grant" || kind === "proof"
    plate.deliver()
    const caller = chance(16)
    const others: PairingMessage[] = [
      { kind: "proof", caller, proof: chance(32) },
      { kind: "stop", caller },
      { kind: "answer", guest: true, owner: chance(16), caller, share: chance(32) as PublicKey },
    ]
    for (const message of others) {
      const event = { kind: "message", bytes: encodePairing(message) } as const
      const input = { now: plate.now, random: chance }
      expect(offerStep(alice.state, event, input)).toEqual({ next: alice.state, send: [] })
      expect(answerStep(bob.state, event, input)).toEqual({ next: bob.state, send: [] })
    }
  })

  it("cancelling an offer notifies the caller at once [P-24]", () => {
    const { plate, alice } = shown()
    alice.isQuick = false
    const bob = new Caller(plate, CODE)
    plate.deliver()
    alice.feed({ kind: "cancel" })
    plate.deliver()
    expect(bob.effects).toEqual([MISMATCH])
  })
})
