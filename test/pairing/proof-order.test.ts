import { describe, expect, it } from "vitest"
import { LISTEN_MS, PROOF_WITHIN_MS, REPEAT_MS } from "../../src/pairing/timeouts.ts"
import { encodePairing } from "../../src/wire/pairing.ts"
import { Caller, FakeNameplate, Owner } from "./fake-nameplate.ts"

const CODE = "7-crowd-river"
const MISMATCH = { kind: "failed", why: "mismatch" }

function shown(): { plate: FakeNameplate; alice: Owner } {
  const plate = new FakeNameplate()
  const alice = new Owner(plate, CODE)
  plate.pass(LISTEN_MS)
  alice.effects.length = 0
  return { plate, alice }
}

describe("who proves the code first", () => {
  it("is the caller: neither the owner's proof nor its bundle leaves before that [P-13]", () => {
    const { plate } = shown()
    plate.drops = ({ kind }) => kind === "proof"
    const mallory = new Caller(plate, CODE)
    plate.pass(PROOF_WITHIN_MS)
    expect(plate.count("share")).toBeGreaterThan(0)
    expect(plate.count("grant")).toBe(0)
    expect(mallory.effects.some(({ kind }) => kind === "proved")).toBe(false)
  })

  it("on the owner's side nothing leaves before the guess is on disk [P-25]", () => {
    const { plate, alice } = shown()
    alice.isCounting = false
    const mallory = new Caller(plate, "7-crowd-rival")
    plate.pass(2 * REPEAT_MS)
    expect(alice.effects.map(({ kind }) => kind)).toEqual(["answered"])
    expect([plate.count("share"), plate.count("stop")]).toEqual([0, 0])
    if (alice.effects[0]?.kind !== "answered") throw new Error("no answer")
    alice.feed({ kind: "counted", caller: alice.effects[0].caller })
    plate.deliver()
    expect(mallory.effects.at(-1)).toEqual(MISMATCH)
  })

  it("on the caller's side nothing leaves before the try is on disk [P-25]", () => {
    const { plate, alice } = shown()
    const bob = new Caller(plate, CODE)
    bob.isCounting = false
    plate.pass(2 * REPEAT_MS)
    expect([bob.state.kind, plate.count("proof")]).toEqual(["key", 0])
    bob.feed({ kind: "counted" })
    plate.deliver()
    expect([alice.state.kind, bob.state.kind]).toEqual(["peer", "peer"])
  })

  it("a share that comes back is refused, with which a proof could come back too [P-12]", () => {
    const { plate } = shown()
    plate.drops = ({ kind }) => kind === "share"
    const bob = new Caller(plate, CODE)
    plate.deliver()
    plate.drops = () => false
    if (bob.state.kind !== "owner") throw new Error("no owner")
    const { typed, own } = bob.state
    plate.publish(encodePairing({ kind: "share", caller: typed.caller, share: own.share }))
    plate.deliver()
    expect(bob.effects).toEqual([MISMATCH])
    expect(plate.count("proof")).toBe(0)
  })
})
