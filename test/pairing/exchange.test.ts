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
import { ANSWERS_MAX } from "../../src/pairing/guesses.ts"
import { offerStep } from "../../src/pairing/offer.ts"
import { encodePairing, type PairingMessage } from "../../src/wire/pairing.ts"
import { Caller, chance, GRANT, FakeNameplate, Owner } from "./fake-nameplate.ts"

const CODE = "7-crowd-river"
const LONG_CODE = "7-crowd-river-abandon"
const MISMATCH = { kind: "failed", why: "mismatch" }

function shown(code = CODE): { plate: FakeNameplate; alice: Owner } {
  const plate = new FakeNameplate()
  const alice = new Owner(plate, code)
  plate.pass(LISTEN_MS)
  expect(alice.effects).toEqual([{ kind: "held" }])
  alice.effects.length = 0
  return { plate, alice }
}

function keysOf(plate: FakeNameplate, alice: Owner, bob: Caller): void {
  plate.pass(0)
  const [answered, proved] = alice.effects
  const [keyed, got] = bob.effects
  expect([answered?.kind, keyed]).toEqual(["answered", { kind: "keyed" }])
  if (proved?.kind !== "proved" || got?.kind !== "proved") throw new Error("no key")
  expect(proved.guest).toBe(true)
  expect(got.psk).toEqual(proved.psk)
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
      const proved = alice.effects.at(-1)
      return proved?.kind === "proved" ? proved.psk : undefined
    })
    expect(keys[0]).not.toEqual(keys[1])
  })

  it.each(["ask", "claim", "answer", "share", "proof", "grant"] as const)(
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
    expect(bob.effects).toHaveLength(2)
  })

  it("repeats the share and the grant as the same bytes, each when it is asked for again [P-20] [P-22]", () => {
    const { plate, alice } = shown()
    let lost = 0
    plate.drops = ({ kind }) => (kind === "share" || kind === "grant") && lost++ % 3 < 2
    const bob = new Caller(plate, CODE)
    plate.pass(5 * REPEAT_MS)
    for (const kind of ["share", "grant"] as const) {
      const sent = plate.published.filter((message) => message.kind === kind)
      expect(sent.length).toBeGreaterThan(2)
      expect(new Set(sent.map((message) => Buffer.from(encodePairing(message)).toString("hex"))).size).toBe(1)
    }
    expect([alice.state.kind, bob.state.kind]).toEqual(["peer", "peer"])
  })
})

describe("another code", () => {
  it("ends the exchange on both sides at once, and does not reveal the bundle [P-13] [P-24]", () => {
    const { plate, alice } = shown()
    const mallory = new Caller(plate, "7-crowd-rival")
    plate.pass(0)
    expect(mallory.effects.at(-1)).toEqual(MISMATCH)
    expect(alice.effects.at(-1)).toEqual(MISMATCH)
    expect([alice.state.kind, mallory.state.kind]).toEqual(["danger", "danger"])
    expect(plate.count("grant")).toBe(0)
  })

  it("ends a code of two words at the first proof: a later caller with the right one is refused [P-22] [P-23]", () => {
    const { plate, alice } = shown()
    const mallory = new Caller(plate, "7-crowd-rival")
    plate.pass(0)
    mallory.unsubscribe()
    const bob = new Caller(plate, CODE)
    plate.pass(CLAIM_WITHIN_MS)
    expect(bob.effects).toEqual([{ kind: "failed", why: "used" }])
    expect(alice.effects.some(({ kind }) => kind === "proved")).toBe(false)
  })

  it("fifteen times leaves a code of three words valid, and the sixteenth ends it [P-22]", () => {
    const guessed = (count: number) => {
      const { plate, alice } = shown(LONG_CODE)
      for (let guess = 0; guess < count; guess++) {
        const mallory = new Caller(plate, "7-crowd-river-zoo")
        plate.deliver()
        expect(mallory.effects.at(-1)).toEqual(MISMATCH)
        mallory.unsubscribe()
      }
      return { plate, alice }
    }
    const { plate, alice } = guessed(15)
    const left = alice.effects.flatMap((effect) => (effect.kind === "guessed" ? [effect.left] : []))
    expect(left).toEqual(Array.from({ length: 15 }, (_, at) => 15 - at))
    const bob = new Caller(plate, LONG_CODE)
    plate.deliver()
    expect([alice.state.kind, bob.state.kind]).toEqual(["peer", "peer"])
    expect(guessed(16).alice.effects.at(-1)).toEqual(MISMATCH)
  })

  it("silence is no proof: the right one still counts meanwhile [P-22]", () => {
    const { plate, alice } = shown()
    const mallory = new Caller(plate, "7-crowd-rival")
    mallory.isCounting = false
    plate.deliver()
    const bob = new Caller(plate, CODE)
    plate.deliver()
    expect([alice.state.kind, bob.state.kind]).toEqual(["peer", "peer"])
    expect(mallory.effects.at(-1)).toEqual(MISMATCH)
  })

  it("silent callers are told to stop after half a minute, and too many of them end the code [P-22]", () => {
    const { plate, alice } = shown()
    for (let count = 0; count < ANSWERS_MAX; count++) new Caller(plate, CODE).isCounting = false
    plate.deliver()
    plate.pass(PROOF_WITHIN_MS)
    const stopped = plate.published.flatMap((message) =>
      message.kind === "stop" ? [Buffer.from(message.caller).toString("hex")] : [],
    )
    expect(new Set(stopped).size).toBe(ANSWERS_MAX)
    expect(alice.state.kind).toBe("nameplate")
    const late = new Caller(plate, CODE)
    plate.deliver()
    expect(alice.effects.at(-1)).toEqual({ kind: "failed", why: "crowded" })
    expect(late.effects).toEqual([MISMATCH])
  })

  it.each(["owner", "caller"])("a share of low order from the %s ends the exchange [P-12]", (who) => {
    const { plate, alice } = shown()
    const zero = new Uint8Array(32) as PublicKey
    if (who === "caller") {
      if (alice.state.kind !== "nameplate") throw new Error("not shown")
      const { owner } = alice.state.plate
      const caller = chance(16)
      plate.publish(encodePairing({ kind: "answer", guest: true, owner, caller, share: zero }))
      plate.deliver()
      expect(plate.published.at(-1)).toEqual({ kind: "stop", caller })
      expect([alice.effects, plate.count("share")]).toEqual([[], 0])
      return
    }
    plate.drops = ({ kind }) => kind === "share"
    const bob = new Caller(plate, CODE)
    plate.deliver()
    plate.drops = () => false
    if (bob.state.kind !== "owner") throw new Error("no owner")
    plate.publish(encodePairing({ kind: "share", caller: bob.state.typed.caller, share: zero }))
    plate.deliver()
    expect(bob.effects).toEqual([MISMATCH])
  })
})

describe("two users with one code", () => {
  it("the first right proof counts, and the other is told to stop [P-23]", () => {
    const { plate, alice } = shown()
    plate.drops = ({ kind }) => kind === "share"
    const [bob, carol] = [new Caller(plate, CODE), new Caller(plate, CODE)]
    plate.deliver()
    plate.drops = () => false
    plate.pass(REPEAT_MS)
    expect(alice.state.kind).toBe("peer")
    expect([bob.state.kind, carol.state.kind].toSorted()).toEqual(["danger", "peer"])
    expect([...bob.effects, ...carol.effects]).toContainEqual(MISMATCH)
  })

  it("after the first was served: the second is refused, the first goes on [P-23]", () => {
    const { plate, alice } = shown()
    plate.drops = ({ kind }) => kind === "grant"
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
    const foreign = { caller: chance(16), proof: chance(32), nonce: chance(24) }
    plate.publish(encodePairing({ kind: "grant", ...foreign, box: chance(50) }))
    plate.deliver()
    expect(bob.effects.at(-1)).toEqual(MISMATCH)
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
    plate.drops = ({ kind }) => kind === "share"
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

  it("ends an attempt without proof after half a minute, and the code goes on [P-24]", () => {
    const { plate, alice } = shown()
    plate.drops = ({ kind }) => kind === "proof"
    const bob = new Caller(plate, CODE)
    plate.pass(PROOF_WITHIN_MS - 1)
    expect(bob.state.kind).toBe("proof")
    plate.pass(1)
    expect(bob.state.kind).toBe("danger")
    expect(alice.state).toMatchObject({ kind: "nameplate", calls: [] })
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
        fc.pre(bytes[0] === undefined || bytes[0] > 6)
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
    expect(bob.effects.at(-1)).toEqual(MISMATCH)
  })
})
