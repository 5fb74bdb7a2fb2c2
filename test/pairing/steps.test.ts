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
    ["answer", "share"],
    ["proof", "proof"],
    ["proof", "grant"],
  ] as const)("a %s goes out every two seconds and not sooner when a %s is lost [P-20]", (sent, lost) => {
    const { plate } = upTo(lost)
    const before = plate.count(sent)
    plate.pass(REPEAT_MS - 1 - (sent === "claim" ? plate.now % 1 : 0))
    expect(plate.count(sent) - before).toBe(0)
    plate.pass(1)
    expect(plate.count(sent) - before).toBeGreaterThan(0)
  })

  it("an answer that comes again gets the share again at once, the same bytes [P-22]", () => {
    const { plate, alice, bob } = upTo("share")
    if (bob.state.kind !== "owner") throw new Error("no exchange")
    const input = { now: plate.now, random: chance }
    const again = offerStep(alice.state, { kind: "message", bytes: bob.state.answer }, input)
    const first = plate.published.find(({ kind }) => kind === "share")
    expect(again).toEqual({ next: alice.state, send: [encodePairing(first!)] })
  })

  it("a proof that comes again gets the grant again at once, the same bytes; a wrong one nothing [P-22]", () => {
    const { plate, alice, bob } = upTo("grant")
    if (bob.state.kind !== "proof" || alice.state.kind !== "peer") throw new Error("no exchange")
    const { caller, keys } = bob.state
    const input = { now: plate.now, random: chance }
    const prove = (proof: Uint8Array) => {
      const bytes = encodePairing({ kind: "proof", caller, proof })
      return offerStep(alice.state, { kind: "message", bytes }, input)
    }
    expect(prove(keys.callerProof)).toEqual({ next: alice.state, send: [alice.state.grant] })
    expect(prove(chance(32))).toEqual({ next: alice.state, send: [] })
  })

  it("another share under the same name is ignored [P-22]", () => {
    const { plate, alice, bob } = upTo("share")
    if (bob.state.kind !== "owner") throw new Error("no exchange")
    const { owner, typed } = bob.state
    const share = chance(32) as PublicKey
    const other = encodePairing({ kind: "answer", guest: true, owner, caller: typed.caller, share })
    const input = { now: plate.now, random: chance }
    const step = offerStep(alice.state, { kind: "message", bytes: other }, input)
    expect(step).toEqual({ next: alice.state, send: [] })
  })

  it("a proof that comes again before the grant is ready waits for it", () => {
    const { plate, alice } = shown()
    alice.isQuick = false
    const bob = new Caller(plate, CODE)
    plate.pass(2 * REPEAT_MS)
    expect(plate.count("proof")).toBe(3)
    expect([alice.state.kind, plate.count("grant")]).toEqual(["caller", 0])
    alice.feed({ kind: "ready", grant: GRANT })
    plate.deliver()
    expect(bob.state.kind).toBe("peer")
  })

  it("a caller whose attempt is over is told so as often as it asks [P-24]", () => {
    const { plate, alice } = shown()
    const bob = new Caller(plate, CODE)
    bob.isCounting = false
    plate.deliver()
    plate.pass(PROOF_WITHIN_MS)
    const answer = plate.published.find(({ kind }) => kind === "answer")
    if (answer?.kind !== "answer") throw new Error("no answer")
    const { caller } = answer
    const input = { now: plate.now, random: chance }
    for (const message of [answer, { kind: "proof", caller, proof: chance(32) } as const]) {
      const step = offerStep(alice.state, { kind: "message", bytes: encodePairing(message) }, input)
      expect(step).toEqual({ next: alice.state, send: [encodePairing({ kind: "stop", caller })] })
    }
  })
})

describe("latecomers", () => {
  it("that answer after the grant was sent are told to stop, by name [P-23]", () => {
    const { plate, alice, bob } = upTo("grant")
    if (alice.state.kind !== "peer" || bob.state.kind !== "proof") throw new Error("no exchange")
    const owner = chance(16)
    const caller = chance(16)
    const late = { kind: "answer", guest: true, owner, caller, share: chance(32) as PublicKey } as const
    const input = { now: plate.now, random: chance }
    const step = offerStep(alice.state, { kind: "message", bytes: encodePairing(late) }, input)
    expect(step).toEqual({ next: alice.state, send: [encodePairing({ kind: "stop", caller })] })
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
    expect(bob.effects.at(-1)).toEqual({ kind: "failed", why: "mismatch" })
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
    const { plate, alice: nameplate } = shown()
    new Caller(plate, CODE).isCounting = false
    plate.deliver()
    const { plate: proved, alice: caller } = shown()
    caller.isQuick = false
    new Caller(proved, CODE)
    proved.deliver()
    const { alice: peer } = upTo("grant")
    const { alice: danger } = shown()
    danger.feed({ kind: "cancel" })
    return [nothing, nameplate, caller, peer, danger]
  }
  const OFFER_FITS: Record<string, readonly string[]> = {
    asked: ["nothing"],
    ready: ["caller"],
  }

  it.each<OfferEvent>([
    { kind: "asked" },
    { kind: "counted", caller: chance(16) },
    { kind: "ready", grant: GRANT },
    { kind: "tick" },
  ])("$kind changes nothing at an owner [P-26]", (event) => {
    const all = owners()
    expect(all.map(({ state }) => state.kind)).toEqual(["nothing", "nameplate", "caller", "peer", "danger"])
    for (const { state } of all) {
      if (OFFER_FITS[event.kind]?.includes(state.kind)) continue
      const now = 1_800_000_000_000
      expect(offerStep(state, event, { now, random: chance })).toEqual({ next: state, send: [] })
    }
  })

  it.each<AnswerEvent>([{ kind: "asked" }, { kind: "counted" }, { kind: "tick" }])(
    "$kind changes nothing at a caller [P-26]",
    (event) => {
      const code = new Caller(new FakeNameplate(), CODE)
      const { bob: owner } = upTo("share")
      const { bob: proof } = upTo("proof")
      const { plate, bob: peer } = upTo("stop")
      plate.deliver()
      expect([owner.state.kind, proof.state.kind, peer.state.kind]).toEqual(["owner", "proof", "peer"])
      const danger = new Caller(new FakeNameplate(), CODE)
      danger.feed({ kind: "cancel" })
      for (const { state } of [code, owner, proof, peer, danger]) {
        if (event.kind === "asked" && state.kind === "code") continue
        const now = 1_800_000_000_000
        expect(answerStep(state, event, { now, random: chance })).toEqual({ next: state, send: [] })
      }
    },
  )

  it("a machine that is done sets no timer", () => {
    const [, , caller, peer, danger] = owners()
    expect(offerWakesAt(peer!.state)).toBeUndefined()
    expect(offerWakesAt(danger!.state)).toBeUndefined()
    if (caller?.state.kind !== "caller") throw new Error("not proved")
    expect(offerWakesAt(caller.state)).toBe(caller.state.endAt)
    expect(answerWakesAt(upTo("stop").bob.state)).toBeUndefined()
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
    const { bob } = upTo("share")
    if (bob.state.kind !== "owner") throw new Error("no owner")
    const stop = encodePairing({ kind: "stop", caller: bob.state.typed.caller })
    expect(answerStep(bob.state, { kind: "cancel" }, input)).toEqual({
      next: { kind: "danger" },
      send: [stop],
    })
  })

  it("a caller that gives up before its proof leaves the code valid [P-24]", () => {
    const early = upTo("share")
    early.bob.feed({ kind: "cancel" })
    early.plate.deliver()
    expect(early.alice.state).toMatchObject({ kind: "nameplate", calls: [] })
  })

  it("a stop before the grant ends the code, and after it changes nothing: anyone can forge it [P-24]", () => {
    const { plate, alice } = shown()
    alice.isQuick = false
    new Caller(plate, CODE)
    plate.deliver()
    const late = upTo("stop")
    const stopped = ({ state }: Owner) => {
      if (state.kind !== "caller" && state.kind !== "peer") throw new Error("not proved")
      const bytes = encodePairing({ kind: "stop", caller: state.call.caller })
      return offerStep(state, { kind: "message", bytes }, { now: plate.now, random: chance })
    }
    expect(stopped(alice).effect).toEqual({ kind: "failed", why: "mismatch" })
    expect(late.alice.state.kind).toBe("peer")
    expect(stopped(late.alice)).toEqual({ next: late.alice.state, send: [] })
  })

  it("an owner that never gets ready times out as well", () => {
    const { plate, alice } = shown()
    alice.isQuick = false
    const bob = new Caller(plate, CODE)
    plate.pass(GRANT_WITHIN_MS)
    expect(bob.effects.at(-1)).toEqual({ kind: "failed", why: "silent" })
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
