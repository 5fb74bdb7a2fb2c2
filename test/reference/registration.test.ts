import { expect, test } from "vitest"
import { ascii, concat, field, hex, int, optional, toHex, zeros } from "./bytes.ts"
import { boxKey, KDF, SB, Sign, signKey, XDH } from "./primitives.ts"
import { unreadOf, vectorsOf } from "./vectors.ts"

type Answer =
  | { kind: "admitted"; user: string; certificate: string }
  | { kind: "invited"; invitation: string }
  | { kind: "refused"; why: string }
  | { kind: "replaced"; at: number }
  | { kind: "head" }
type Ledger = { number: number; link: string; linkAtKnown: string } | null
type Restore = Record<
  "sign" | "deviceName" | "csr" | "ephemeralSecret" | "nonce" | "fields" | "sealed",
  string
> &
  Record<"known" | "askedAt", number>

const vectors = vectorsOf("registration.json") as {
  registrarSecret: string
  signSecret: string
  topicId: string
  invitation: Record<"user" | "secret" | "registrar" | "bytes", string> & { expiresAt: number }
  request: Restore
  answers: { answer: Answer; ledger: Ledger; nonce: string; fields: string; sealed: string }[]
}

const registrar = boxKey(hex(vectors.registrarSecret))
const ephemeral = boxKey(hex(vectors.request.ephemeralSecret))

/** */
function keyFor(label: string): Uint8Array {
  const shared = XDH(hex(vectors.request.ephemeralSecret), registrar)!
  return KDF(concat(ephemeral, registrar), shared, label, 32)
}

function padded(length: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = concat(...parts)
  return concat(bytes, zeros(length - bytes.length))
}

test("an invitation [R-1]", () => {
  const { user, secret, expiresAt, ...expected } = vectors.invitation
  expect(toHex(registrar)).toBe(expected.registrar)
  expect(toHex(concat(hex(user), hex(secret), registrar, int(expiresAt, 8)))).toBe(expected.bytes)
})

test("a request [R-2] [R-3] [R-14]", () => {
  const { known, sign, askedAt, deviceName, csr, nonce, ...expected } = vectors.request
  const fields = concat(
    int(5, 1),
    int(known, 8),
    hex(sign),
    int(askedAt, 8),
    field(deviceName),
    field(hex(csr)),
  )
  expect(toHex(fields)).toBe(expected.fields)
  expect(toHex(signKey(hex(vectors.signSecret)))).toBe(sign)
  const signed = concat(ascii("mqttchat/1 reg"), registrar, hex(vectors.topicId), ephemeral, fields)
  const plain = padded(952, field(fields), Sign(hex(vectors.signSecret), signed))
  const box = SB(plain, hex(nonce), keyFor("mqttchat/1 registration request"))
  expect(toHex(concat(ephemeral, hex(nonce), box))).toBe(expected.sealed)
})

/** Why a request is refused, from 1 on. */
const REFUSALS = [
  "unknown-invitation",
  "used-invitation",
  "expired-invitation",
  "not-a-member",
  "not-allowed",
  "too-many",
  "bad-request",
  "revoked",
  "out-of-time",
]

/** */
function answerBytes(answer: Answer): [kind: number, fields: Uint8Array] {
  switch (answer.kind) {
    case "admitted":
      return [1, concat(hex(answer.user), field(hex(answer.certificate)))]
    case "invited":
      return [2, hex(answer.invitation)]
    case "refused":
      return [3, int(REFUSALS.indexOf(answer.why) + 1, 1)]
    case "replaced":
      return [4, int(answer.at, 8)]
    case "head":
      return [5, zeros(0)]
  }
}

test("answers [R-2] [R-4] [R-16]", () => {
  expect(vectors.answers.map(({ answer }) => answer.kind)).toHaveLength(5)
  for (const { answer, ledger, nonce, ...expected } of vectors.answers) {
    const [kind, rest] = answerBytes(answer)
    const says = ledger && concat(int(ledger.number, 8), hex(ledger.link), hex(ledger.linkAtKnown))
    const fields = concat(int(kind, 1), optional(says ?? undefined), rest)
    expect(toHex(fields)).toBe(expected.fields)
    const box = SB(padded(984, field(fields)), hex(nonce), keyFor("mqttchat/1 registration answer"))
    expect(toHex(concat(hex(nonce), box))).toBe(expected.sealed)
  }
})

test("no value is left unread", () => {
  expect(unreadOf("registration.json")).toEqual([])
})
