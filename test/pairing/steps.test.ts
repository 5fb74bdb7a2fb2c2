import { describe, expect, it } from "vitest"
import type { BoxKey, PublicKey } from "../../src/crypto/bytes.ts"
import { type AnswerEvent, answerStep, answerWakesAt } from "../../src/pairing/answer.ts"
import { GRANT_WITHIN_MS, LISTEN_MS, PROOF_WITHIN_MS, REPEAT_MS } from "../../src/pairing/timeouts.ts"
import { openGrant, sealGrant } from "../../src/pairing/exchange.ts"
import { type OfferEvent, offerStep, offerWakesAt } from "../../src/pairing/offer.ts"
import { encodePairing, type PairingMessage } from "../../src/wire/pairing.ts"
import { Caller, chance, GRANT, FakeNameplate, Owner } from "./fake-nameplate.ts"

const CODE = "7-crowd-river"

function shown(): { plate: FakeNameplate; alice: Owner } {
  const plate = new FakeNameplate()
  const alice = new Owner(plate, CODE)
  plate.pass(LISTEN_MS)
  return { plate, alice }
}

/** Alice and Bob up to where the first of `lost` would have been received. */
function upTo(lost: PairingMessage["kind"]): { plate: FakeNameplate; alice: Owner; bob: Caller } {
  const { plate, alice } = shown()
  plate.drops = ({ kind }) => kind === lost
  const bob = new Caller(plate, CODE)
  plate.deliver()
  return { plate, alice, bob }
}

describe("repeated messages", () => {
  it.each([
    ["claim", "claim"],
    ["answer", "answer"],
    ["grant", "grant"],
    ["grant", "proof"],
  ] as const)("a %s goes out every two seconds and not sooner when a %s is lost [P-20]", (sent, lost) => {
    const { plate } = upTo(lost)
    const before = plate.count(sent)
    plate.pass(REPEAT_MS - 1 - (sent === "claim" ? plate.now % 1 : 0))
    expect(plate.count(sent) - before).toBe(0)
    plate.pass(1)
    expect(plate.count(sent) - before).toBeGreaterThan(0)
  })

  it("an answer that comes again gets the grant again at once, the same bytes [P-22]", () => {
    const { plate, alice, bob } = upTo("grant")
    if (bob.state.kind !== "owner" || alice.state.kind !== "key") throw new Error("no exchange")
    const input = { now: plate.now, random: chance }
    const again = offerStep(alice.state, { kind: "message", bytes: bob.state.answer }, input)
    expect(again).toEqual({ next: alice.state, send: [alice.state.grant] })
  })

  it("another share under the same name is ignored: one answer for one code [P-22]", () => {
    const { plate, alice, bob } = upTo("grant")
    if (bob.state.kind !== "owner" || alice.state.kind !== "key") throw new Error("no exchange")
    const { owner, typed } = bob.state
    const share = chance(32) as PublicKey
    const other = encodePairing({ kind: "answer", guest: true, owner, caller: typed.caller, share })
    const input = { now: plate.now, random: chance }
    const step = offerStep(alice.state, { kind: "message", bytes: other }, input)
    expect(step).toEqual({ next: alice.state, send: [] })
  })

  it("an answer that comes again before the grant is ready waits for it", () => {
    const { plate, alice } = shown()
    alice.isQuick = false
    const bob = new Caller(plate, CODE)
    plate.pass(2 * REPEAT_MS)
    expect(plate.count("answer")).toBe(3)
    expect([alice.state.kind, plate.count("grant")]).toEqual(["caller", 0])
    alice.feed({ kind: "ready", grant: GRANT })
    plate.deliver()
    expect(bob.state.kind).toBe("peer")
  })
})

describe("latecomers", () => {
  it("that answer after the grant was sent are told to stop, by name [P-23]", () => {
    const { plate, alice, bob } = upTo("proof")
    if (alice.state.kind !== "key" || bob.state.kind !== "peer") throw new Error("no exchange")
    const { owner } = alice.state.plate
    const caller = chance(16)
    const late = { kind: "answer", guest: true, owner, caller, share: chance(32) as PublicKey } as const
    const input = { now: plate.now, random: chance }
    const step = offerStep(alice.state, { kind: "message", bytes: encodePairing(late) }, input)
    expect(step).toEqual({ next: alice.state, send: [encodePairing({ kind: "stop", caller })] })
    const foreign = encodePairing({ ...late, owner: chance(16) })
    const passed = offerStep(alice.state, { kind: "message", bytes: foreign }, input)
    expect(passed).toEqual({ next: alice.state, send: [] })
  })

  it("are told to stop even when it is over, and the served caller is not [P-23]", () => {
    const { plate, alice } = shown()
    const bob = new Caller(plate, CODE)
    plate.deliver()
    if (alice.state.kind !== "peer" || bob.state.kind !== "peer") throw new Error("not paired")
    const input = { now: plate.now, random: chance }
    const ask = (caller: Uint8Array) =>
      offerStep(alice.state, { kind: "message", bytes: encodePairing({ kind: "ask", caller }) }, input).send
    const carol = chance(16)
    expect(ask(carol)).toEqual([encodePairing({ kind: "stop", caller: carol })])
    expect(ask(bob.state.caller)).toEqual([])
  })
})

describe("a grant", () => {
  it("with a right proof and a box that does not open ends it", () => {
    const { plate, bob } = upTo("grant")
    const grant = plate.published.find(({ kind }) => kind === "grant")
    if (grant?.kind !== "grant") throw new Error("no grant")
    plate.drops = () => false
    plate.publish(encodePairing({ ...grant, box: grant.box.map((byte) => byte ^ 1) }))
    plate.deliver()
    expect(bob.effects).toEqual([{ kind: "failed", why: "mismatch" }])
  })

  it("opens under its key only [P-13]", () => {
    const key = chance(32) as BoxKey
    const sealed = sealGrant(GRANT, key, chance)
    expect(openGrant(sealed, key)).toEqual(GRANT)
    expect(openGrant(sealed, chance(32) as BoxKey)).toBeUndefined()
  })
})

describe("events that are unexpected in a state", () => {
  const owners = (): Owner[] => {
    const nothing = new Owner(new FakeNameplate(), CODE)
    const { alice: nameplate } = shown()
    const { plate, alice: caller } = shown()
    caller.isQuick = false
    new Caller(plate, CODE)
    plate.deliver()
    const { alice: key } = upTo("proof")
    const { plate: done, alice: peer } = shown()
    new Caller(done, CODE)
    done.deliver()
    const { alice: danger } = shown()
    danger.feed({ kind: "cancel" })
    return [nothing, nameplate, caller, key, peer, danger]
  }
  const OFFER_FITS: Record<string, readonly string[]> = {
    asked: ["nothing"],
    ready: ["caller"],
    paired: ["caller", "key"],
    tick: [],
  }

  it.each<OfferEvent>([
    { kind: "asked" },
    { kind: "ready", grant: GRANT },
    { kind: "paired" },
    { kind: "tick" },
  ])("$kind changes nothing at an owner [P-26]", (event) => {
    const all = owners()
    expect(all.map(({ state }) => state.kind)).toEqual([
      "nothing",
      "nameplate",
      "caller",
      "key",
      "peer",
      "danger",
    ])
    for (const { state } of all) {
      if (OFFER_FITS[event.kind]?.includes(state.kind)) continue
      const now = 1_800_000_000_000
      expect(offerStep(state, event, { now, random: chance })).toEqual({ next: state, send: [] })
    }
  })

  it.each<AnswerEvent>([{ kind: "asked" }, { kind: "pinned" }, { kind: "tick" }])(
    "$kind changes nothing at a caller [P-26]",
    (event) => {
      const code = new Caller(new FakeNameplate(), CODE)
      const { bob: owner } = upTo("grant")
      const { bob: peer } = upTo("proof")
      const danger = new Caller(new FakeNameplate(), CODE)
      danger.feed({ kind: "cancel" })
      for (const { state } of [code, owner, peer, danger]) {
        if (event.kind === "asked" && state.kind === "code") continue
        const now = 1_800_000_000_000
        expect(answerStep(state, event, { now, random: chance })).toEqual({ next: state, send: [] })
      }
    },
  )

  it("a machine that has only asked, or is done, sets no timer", () => {
    const [, , caller, , peer, danger] = owners()
    expect(offerWakesAt(peer!.state)).toBeUndefined()
    expect(offerWakesAt(danger!.state)).toBeUndefined()
    if (caller?.state.kind !== "caller") throw new Error("not answered")
    expect(offerWakesAt(caller.state)).toBe(caller.state.endAt)
    expect(answerWakesAt(upTo("proof").bob.state)).toBeUndefined()
  })
})

describe("giving up", () => {
  it("before an owner is known sends nothing, afterwards the number of the attempt [P-24]", () => {
    const alone = new Caller(new FakeNameplate(), CODE)
    const input = { now: 0, random: chance }
    expect(answerStep(alone.state, { kind: "cancel" }, input)).toEqual({
      next: { kind: "danger" },
      send: [],
    })
    const { bob } = upTo("grant")
    if (bob.state.kind !== "owner") throw new Error("no owner")
    const stop = encodePairing({ kind: "stop", caller: bob.state.typed.caller })
    expect(answerStep(bob.state, { kind: "cancel" }, input)).toEqual({
      next: { kind: "danger" },
      send: [stop],
    })
  })

  it("an owner that times out tells its caller, and one that was stopped sends nothing [P-24]", () => {
    const late = upTo("proof")
    const stops = late.plate.count("stop")
    late.plate.pass(PROOF_WITHIN_MS)
    expect(late.plate.count("stop")).toBe(stops + 1)
    const stopped = upTo("proof")
    stopped.bob.feed({ kind: "cancel" })
    stopped.plate.deliver()
    expect(stopped.plate.count("stop")).toBe(1)
    expect(stopped.alice.effects.at(-1)).toEqual({ kind: "failed", why: "mismatch" })
  })

  it("an owner that never gets ready times out as well", () => {
    const { plate, alice } = shown()
    alice.isQuick = false
    const bob = new Caller(plate, CODE)
    plate.pass(GRANT_WITHIN_MS)
    expect(bob.effects).toEqual([{ kind: "failed", why: "silent" }])
    expect(alice.effects.at(-1)).toEqual({ kind: "failed", why: "mismatch" })
  })

  it("a low share is answered with a stop", () => {
    const { plate, alice } = shown()
    if (alice.state.kind !== "nameplate") throw new Error("not shown")
    const { owner } = alice.state.plate
    const caller = chance(16)
    const low = {
      kind: "answer",
      guest: false,
      owner,
      caller,
      share: new Uint8Array(32) as PublicKey,
    } as const
    const step = offerStep(
      alice.state,
      { kind: "message", bytes: encodePairing(low) },
      { now: plate.now, random: chance },
    )
    expect(step.send).toEqual([encodePairing({ kind: "stop", caller })])
  })
})
