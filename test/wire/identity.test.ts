import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { PublicKey, VerifyKey } from "../../src/crypto/bytes.ts"
import { toHex } from "../../src/crypto/bytes.ts"
import {
  decodeIdentity,
  encodeIdentity,
  fingerprint,
  safetyNumber,
  type PublicIdentity,
} from "../../src/wire/identity.ts"

function identityOf(sign: number, box: number): PublicIdentity {
  return {
    sign: new Uint8Array(32).fill(sign) as VerifyKey,
    box: new Uint8Array(32).fill(box) as PublicKey,
  }
}

const ALICE = identityOf(1, 2)
const BOB = identityOf(3, 4)

describe("an identity", () => {
  it("is any 64 bytes, and nothing else [W-14]", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (bytes) => {
        expect(encodeIdentity(decodeIdentity(bytes))).toEqual(bytes)
      }),
    )
  })

  it("does not change with the bytes it was read from", () => {
    const bytes = encodeIdentity(ALICE)
    const alice = decodeIdentity(bytes)
    bytes.fill(0)
    expect(alice).toEqual(ALICE)
  })

  it("has a fingerprint of 20 bytes, frozen [W-15]", () => {
    expect(toHex(fingerprint(ALICE))).toBe("5691784ba1a537ca9c66db3d9f1c6041dd940bfc")
    expect(fingerprint(BOB)).not.toEqual(fingerprint(ALICE))
  })
})

describe("the safety number of Alice and Bob", () => {
  it("is the same on both screens [W-16]", () => {
    expect(safetyNumber(ALICE, BOB)).toEqual(safetyNumber(BOB, ALICE))
  })

  it("is twelve groups of five digits, frozen [W-16]", () => {
    expect(safetyNumber(ALICE, BOB).join(" ")).toBe(
      "77510 77242 84674 16920 57808 81589 10546 20421 19375 04602 76207 44720",
    )
  })

  it("differs when Mallory is between them", () => {
    const mallory = identityOf(5, 6)
    expect(safetyNumber(ALICE, mallory)).not.toEqual(safetyNumber(ALICE, BOB))
    expect(safetyNumber(ALICE, identityOf(3, 6))).not.toEqual(safetyNumber(ALICE, BOB))
  })

  it("keeps leading zeros of a group", () => {
    for (let box = 0; box < 200; box++) {
      for (const group of safetyNumber(ALICE, identityOf(3, box))) expect(group).toMatch(/^\d{5}$/)
    }
  })
})
