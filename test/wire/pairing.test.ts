import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { PublicKey } from "../../src/crypto/bytes.ts"
import { type Access, decodeAccess, encodeAccess } from "../../src/wire/access.ts"
import type { Addresses } from "../../src/wire/address.ts"
import { decodePairing, encodePairing, GRANT_BYTES_MAX, type PairingMessage } from "../../src/wire/pairing.ts"

const sized = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const share = sized(32).map((bytes) => bytes as PublicKey)
const message: fc.Arbitrary<PairingMessage> = fc.oneof(
  fc.record({ kind: fc.constant("claim" as const), owner: sized(16) }),
  fc.record({
    kind: fc.constant("answer" as const),
    guest: fc.boolean(),
    owner: sized(16),
    caller: sized(16),
    share,
  }),
  fc.record({ kind: fc.constant("share" as const), caller: sized(16), share }),
  fc.record({
    kind: fc.constant("grant" as const),
    caller: sized(16),
    proof: sized(32),
    nonce: sized(24),
    box: fc.uint8Array({ maxLength: 200 }),
  }),
  fc.record({ kind: fc.constant("proof" as const), caller: sized(16), proof: sized(32) }),
  fc.record({ kind: fc.constant("ask" as const), caller: sized(16) }),
  fc.record({ kind: fc.constant("stop" as const), caller: sized(16) }),
)

describe("a message of a nameplate", () => {
  it("is read as it was written [W-41]", () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(decodePairing(encodePairing(sent))).toEqual(sent)
      }),
    )
  })

  it("has one encoding: bytes that decode encode to the same bytes [W-2] [W-41]", () => {
    const near = fc
      .tuple(message, fc.nat(), fc.nat(255), fc.integer({ min: -2, max: 2 }))
      .map(([sent, at, byte, longer]) => {
        const bytes = [...encodePairing(sent)]
        bytes[at % bytes.length] = byte
        return Uint8Array.from(
          longer < 0 ? bytes.slice(0, longer) : [...bytes, ...Array<number>(longer).fill(0)],
        )
      })
    fc.assert(
      fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        const read = decodePairing(bytes)
        if (read !== undefined) expect(encodePairing(read)).toEqual(bytes)
      }),
      { numRuns: 1000 },
    )
  })

  it("of another version, with unknown flags or too large a box is refused", () => {
    const owner = new Uint8Array(16)
    const claim = encodePairing({ kind: "claim", owner })
    claim[1] = 2
    expect(decodePairing(claim)).toBeUndefined()
    const answer = encodePairing({
      kind: "answer",
      guest: true,
      owner,
      caller: owner,
      share: new Uint8Array(32) as PublicKey,
    })
    answer[1] = 3
    expect(decodePairing(answer)).toBeUndefined()
    const grant = {
      kind: "grant",
      caller: owner,
      proof: new Uint8Array(32),
      nonce: new Uint8Array(24),
    } as const
    expect(decodePairing(encodePairing({ ...grant, box: new Uint8Array(GRANT_BYTES_MAX) }))).toBeDefined()
    expect(
      decodePairing(encodePairing({ ...grant, box: new Uint8Array(GRANT_BYTES_MAX + 1) })),
    ).toBeUndefined()
  })
})

describe("access to a broker", () => {
  const pin = fc.record({
    kind: fc.constant("pin" as const),
    pin: sized(16).filter((bytes) => bytes.some((byte) => byte !== 0)),
  })
  const text = fc.string({ minLength: 1, maxLength: 60 })
  const members = fc.constantFrom<Addresses>(
    [{ host: "pi.local", port: 8883 }],
    [
      { host: "a.example", port: 8883 },
      { host: "fe80::1", port: 1884 },
    ],
  )
  const entryWithoutTls = fc.oneof(
    fc.constant({ kind: "none" as const }),
    fc.constant({ kind: "account" as const }),
    fc.record({ kind: fc.constant("account" as const), username: text }),
    fc.record({ kind: fc.constant("account" as const), username: text, password: text }),
  )
  const invitation = fc.record({ kind: fc.constant("invitation" as const), invitation: sized(72) })
  const tls = {
    proof: fc.oneof(pin, fc.constant({ kind: "name" as const })),
    entry: fc.oneof(entryWithoutTls, invitation),
  }
  const insecure = { proof: fc.constant({ kind: "insecure" as const }), entry: entryWithoutTls }
  const access: fc.Arbitrary<Access> = fc.oneof(
    fc.record(tls),
    fc.record({ ...tls, members }),
    fc.record(insecure),
    fc.record({ ...insecure, members }),
  )

  it("is read as it was written [W-42] [W-47]", () => {
    fc.assert(
      fc.property(access, (given) => {
        expect(decodeAccess(encodeAccess(given))).toEqual(given)
      }),
    )
  })

  it.each([
    ["with an unknown type", [3, 0, 0]],
    ["with data where there is none", [0, 1, 0, 9]],
    ["with half an invitation", [1, 2, 0, 9, 9]],
    ["with a password but no user", [2, 5, 0, 0, 0, 1, 0, 65]],
    ["with a name that is no UTF-8", [2, 5, 0, 1, 0, 0xff, 0, 0]],
    ["with bytes left over", [0, 0, 0, 0]],
    ["with more than it says", [2, 4, 0, 0, 0]],
    ["with an empty list of addresses", [0, 0, 0, 0, 0]],
    ["with an address in capitals", [0, 0, 0, 2, 0, 0x50, 0x49]],
    ["with a port that goes without saying", [0, 0, 0, 7, 0, ...Buffer.from("pi:8883")]],
    ["with the same address twice", [0, 0, 0, 5, 0, ...Buffer.from("pi,pi")]],
  ])("%s is refused [W-42]", (_, tail) => {
    const proofs = [[1, ...Array<number>(16).fill(1)], [0], [2]]
    for (const proof of proofs) expect(decodeAccess(Uint8Array.from([...proof, ...tail]))).toBeUndefined()
  })

  it("without TLS is refused together with a pin or an invitation, and so is an unknown kind of proof [W-47]", () => {
    const [pinned, invited] = [Array<number>(16).fill(1), [1, 72, 0, ...Array<number>(72).fill(1)]]
    const nothing = [0, 0, 0]
    expect(decodeAccess(Uint8Array.from([2, ...nothing]))).toEqual({
      proof: { kind: "insecure" },
      entry: { kind: "none" },
    })
    for (const bytes of [
      [2, ...pinned, ...nothing],
      [2, ...invited],
      [3, ...nothing],
      [0, ...pinned, ...nothing],
    ])
      expect(decodeAccess(Uint8Array.from(bytes))).toBeUndefined()
  })
})
