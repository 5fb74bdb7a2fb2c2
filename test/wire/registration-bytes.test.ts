import { describe, expect, test } from "vitest"
import { concat, utf8, type PublicKey, type VerifyKey } from "../../src/crypto/bytes.ts"
import {
  decodeReply,
  decodeInvitation,
  decodeRequest,
  encodeReply,
  encodeInvitation,
  encodeRequest,
  type RegistrationAnswer,
  type RegistrationRequest,
} from "../../src/wire/registration.ts"
import { counting } from "../recorded-random.ts"

const bytes = counting(1)
const [user, secret, device] = [bytes(16), bytes(16), bytes(16)]
const sign = bytes(32) as VerifyKey
const registrar = bytes(32) as PublicKey
const csr = bytes(3)
const NAME = [...u16(5), ...utf8("pi ü")]
const CSR = [...u16(3), ...csr]
/** 1,800,000,000,000 as u64, least significant byte first. */
/** 258 as u64. */
const KNOWN = [2, 1, 0, 0, 0, 0, 0, 0]
const TIME = [0x00, 0x50, 0x5c, 0x18, 0xa3, 0x01, 0x00, 0x00]

function u16(value: number): number[] {
  return [value & 0xff, value >> 8]
}

/** The tables of and, written by hand. */
const REQUESTS: readonly (readonly [RegistrationRequest, readonly number[]])[] = [
  [
    { kind: "join", known: 258, user, secret, sign, deviceName: "pi ü", csr },
    [1, ...KNOWN, ...user, ...secret, ...sign, ...NAME, ...CSR],
  ],
  [{ kind: "invite", known: 258, device, sign }, [2, ...KNOWN, ...device, ...sign]],
  [{ kind: "renew", known: 258, device, sign, csr }, [3, ...KNOWN, ...device, ...sign, ...CSR]],
  [{ kind: "add-device", known: 258, device, sign }, [4, ...KNOWN, ...device, ...sign]],
  [
    { kind: "restore", known: 258, sign, askedAt: 1_800_000_000_000, deviceName: "pi ü", csr },
    [5, ...KNOWN, ...sign, ...TIME, ...NAME, ...CSR],
  ],
  [{ kind: "head", known: 258, sign }, [6, ...KNOWN, ...sign]],
]

const refused = (why: Extract<RegistrationAnswer, { kind: "refused" }>["why"]): RegistrationAnswer => ({
  kind: "refused",
  why,
})
const invitation = bytes(72)
/** The kind, and the fields after what the answer says of the ledger. */
const ANSWERS: readonly (readonly [RegistrationAnswer, number, readonly number[]])[] = [
  [{ kind: "admitted", user, certificate: csr }, 1, [...user, ...CSR]],
  [{ kind: "invited", invitation }, 2, [...invitation]],
  [refused("unknown-invitation"), 3, [1]],
  [refused("used-invitation"), 3, [2]],
  [refused("expired-invitation"), 3, [3]],
  [refused("not-a-member"), 3, [4]],
  [refused("not-allowed"), 3, [5]],
  [refused("too-many"), 3, [6]],
  [refused("bad-request"), 3, [7]],
  [refused("revoked"), 3, [8]],
  [refused("out-of-time"), 3, [9]],
  [{ kind: "replaced", at: 1_800_000_000_000 }, 4, [...TIME]],
  [{ kind: "head" }, 5, []],
]

describe("on the wire", () => {
  test.each(REQUESTS)("a request %o has the bytes of the table [R-3]", (request, written) => {
    expect([...encodeRequest(request)]).toEqual(written)
    expect(decodeRequest(Uint8Array.from(written))).toEqual(request)
  })

  test.each(ANSWERS)("an answer %o has the bytes of the table [R-4] [R-16]", (answer, kind, fields) => {
    const view = { number: 258, link: bytes(32), linkAtKnown: bytes(32) }
    const written = [
      [undefined, [kind, 0, ...fields]],
      [view, [kind, 1, ...KNOWN, ...view.link, ...view.linkAtKnown, ...fields]],
    ] as const
    for (const [ledger, frozen] of written) {
      expect([...encodeReply({ answer, ledger })]).toEqual(frozen)
      expect(decodeReply(Uint8Array.from(frozen))).toEqual({ answer, ledger })
    }
  })

  test("an invitation has user, secret, registrar's key and expiry, 72 bytes in all [R-1]", () => {
    const written = Uint8Array.from([...user, ...secret, ...registrar, ...TIME])
    const made = { user, secret, registrar, expiresAt: 1_800_000_000_000 }
    expect(encodeInvitation(made)).toEqual(written)
    expect(decodeInvitation(written)).toEqual(made)
    expect(decodeInvitation(written.subarray(1))).toBeUndefined()
    expect(decodeInvitation(concat(written, Uint8Array.of(0)))).toBeUndefined()
  })
})

describe("anything over its bound is refused", () => {
  const renewal = (length: number): Uint8Array =>
    Uint8Array.from([3, ...KNOWN, ...device, ...sign, ...u16(length), ...new Uint8Array(length)])
  const joined = (name: Uint8Array, length = 0): Uint8Array => {
    const fields = [1, ...KNOWN, ...user, ...secret, ...sign, ...u16(name.length), ...name]
    return Uint8Array.from([...fields, ...u16(length), ...new Uint8Array(length)])
  }
  const restored = (name: Uint8Array, length = 0): Uint8Array => {
    const fields = [5, ...KNOWN, ...sign, ...TIME, ...u16(name.length), ...name]
    return Uint8Array.from([...fields, ...u16(length), ...new Uint8Array(length)])
  }
  const admitted = (length: number): Uint8Array =>
    Uint8Array.from([1, 0, ...user, ...u16(length), ...new Uint8Array(length)])

  test("a request for a certificate of more than 512 bytes", () => {
    for (const request of [renewal(512), joined(csr.slice(0, 0), 512), restored(csr.slice(0, 0), 512)])
      expect(decodeRequest(request)).toBeDefined()
    for (const request of [renewal(513), joined(csr.slice(0, 0), 513), restored(csr.slice(0, 0), 513)])
      expect(decodeRequest(request)).toBeUndefined()
  })

  test("a device name of more than 64 bytes, or of bytes that are not text", () => {
    for (const make of [joined, restored]) {
      expect(decodeRequest(make(utf8("n".repeat(64))))).toBeDefined()
      expect(decodeRequest(make(utf8("n".repeat(65))))).toBeUndefined()
      expect(decodeRequest(make(Uint8Array.of(0x61, 0xff)))).toBeUndefined()
    }
  })

  test("a certificate of more than 800 bytes", () => {
    expect(decodeReply(admitted(800))).toBeDefined()
    expect(decodeReply(admitted(801))).toBeUndefined()
  })

  test("an undefined kind or reason", () => {
    for (const kind of [0, 7, 255])
      expect(decodeRequest(Uint8Array.from([kind, ...KNOWN, ...device, ...sign]))).toBeUndefined()
    for (const reason of [0, 10, 255]) expect(decodeReply(Uint8Array.of(3, 0, reason))).toBeUndefined()
    for (const kind of [0, 6]) expect(decodeReply(Uint8Array.of(kind, 0))).toBeUndefined()
  })
})
