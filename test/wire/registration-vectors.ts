import { toHex } from "../../src/crypto/bytes.ts"
import { boxKeyPair, signKeyPair } from "../../src/crypto/nacl.ts"
import { openRequest, sealRequest } from "../../src/wire/registration-box.ts"
import {
  encodeInvitation,
  encodeReply,
  encodeRequest,
  type RegistrarReply,
  type RegistrationRequest,
} from "../../src/wire/registration.ts"
import { asJson } from "../as-json.ts"
import { counting, recordedRandom } from "../recorded-random.ts"

const device = signKeyPair(counting(7))
const registrar = boxKeyPair(counting(3))
const counted = counting(0)

const REQUEST: RegistrationRequest = {
  kind: "restore",
  known: 258,
  sign: device.publicKey,
  askedAt: 1_800_000_000_000,
  deviceName: "alice ü",
  csr: counted(200),
}
const TOPIC_ID = counted(16)
const LEDGER = { number: 259, link: counting(40)(32), linkAtKnown: counting(90)(32) }

const INVITATION = {
  ...{ user: counting(50)(16), secret: counting(60)(16) },
  ...{ registrar: registrar.publicKey, expiresAt: 1_800_000_000 },
}

const REPLIES: readonly RegistrarReply[] = [
  { answer: { kind: "admitted", user: counting(5)(16), certificate: counting(6)(300) }, ledger: LEDGER },
  { answer: { kind: "invited", invitation: counting(8)(72) }, ledger: LEDGER },
  { answer: { kind: "refused", why: "out-of-time" }, ledger: undefined },
  { answer: { kind: "replaced", at: 1_800_000_000_001 }, ledger: undefined },
  { answer: { kind: "head" }, ledger: LEDGER },
]

/** A request and its answers, with what both sides drew. */
export function registrationVectors() {
  const [atDevice, atRegistrar] = [recordedRandom(counting(20)), recordedRandom(counting(30))]
  const target = { registrar: registrar.publicKey, topicId: TOPIC_ID }
  const { payload } = sealRequest(REQUEST, target, device.secretKey, atDevice.random)!
  const [ephemeralSecret, nonce] = atDevice.take(2)
  const opened = openRequest(payload, target, registrar.secretKey)!
  const answers = REPLIES.map((reply) => {
    const sealed = toHex(opened.sealAnswer(reply, atRegistrar.random))
    return {
      ...(asJson(reply) as object),
      nonce: atRegistrar.take(1)[0],
      fields: toHex(encodeReply(reply)),
      sealed,
    }
  })
  return {
    about: "An invitation, a request to the registrar and answers to it: clauses R-1 to R-4, R-14, R-16.",
    invitation: { ...(asJson(INVITATION) as object), bytes: toHex(encodeInvitation(INVITATION)) },
    registrarSecret: toHex(registrar.secretKey),
    signSecret: toHex(device.secretKey),
    topicId: toHex(TOPIC_ID),
    request: {
      ...(asJson(REQUEST) as object),
      ...{ ephemeralSecret, nonce, fields: toHex(encodeRequest(REQUEST)), sealed: toHex(payload) },
    },
    answers,
  }
}
