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
import frozen from "../vectors/identity.json" with { type: "json" }
import { identityVectors } from "./identity-vectors.ts"

function identityOf(sign: number, box: number): PublicIdentity {
  return {
    sign: new Uint8Array(32).fill(sign) as VerifyKey,
    box: new Uint8Array(32).fill(box) as PublicKey,
  }
}

const ALICE = identityOf(1, 2)

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
})

const idOf = (byte: number) => new Uint8Array(32).fill(byte)
const [ALICE_ID, BOB_ID] = [idOf(1), idOf(2)]

describe("an account id", () => {
  it("has a fingerprint of 20 bytes, frozen [W-15]", () => {
    expect(toHex(fingerprint(ALICE_ID))).toBe("f6242d91dc90b6dfde785afb9d205c209fd246a6")
    expect(fingerprint(BOB_ID)).not.toEqual(fingerprint(ALICE_ID))
  })
})

describe("the safety number of Alice and Bob", () => {
  it("is the same on both screens [W-16]", () => {
    expect(safetyNumber(ALICE_ID, BOB_ID)).toEqual(safetyNumber(BOB_ID, ALICE_ID))
  })

  it("is twelve groups of five digits, frozen [W-16]", () => {
    expect(safetyNumber(ALICE_ID, BOB_ID).join(" ")).toBe(
      "52232 81661 64159 23041 90844 64619 78283 32446 16381 28511 53941 77199",
    )
  })

  it("differs when Mallory is between them", () => {
    expect(safetyNumber(ALICE_ID, idOf(3))).not.toEqual(safetyNumber(ALICE_ID, BOB_ID))
    expect(safetyNumber(ALICE_ID, idOf(2).with(31, 3))).not.toEqual(safetyNumber(ALICE_ID, BOB_ID))
  })

  it("keeps leading zeros of a group", () => {
    for (let byte = 0; byte < 200; byte++) {
      for (const group of safetyNumber(ALICE_ID, idOf(byte))) expect(group).toMatch(/^\d{5}$/)
    }
  })
})

it("fingerprints and the safety number are the frozen ones [W-15] [W-16]", () => {
  expect(identityVectors()).toEqual(frozen)
})
