import { concat, toBase64url, toHex, utf8 } from "../../src/crypto/bytes.ts"
import { answerStep, beginAnswer, type AnswerState } from "../../src/pairing/answer.ts"
import { armour } from "../../src/pairing/armour.ts"
import { LISTEN_MS } from "../../src/pairing/timeouts.ts"
import { beginOffer, type OfferState, offerStep } from "../../src/pairing/offer.ts"
import { fourWords } from "../../src/pairing/words.ts"
import { type Access, encodeAccess } from "../../src/wire/access.ts"
import { formatInvitationLink } from "../../src/wire/invitation-link.ts"
import { formatPairingLink, sealLinkAnswer, sealLinkRequest } from "../../src/wire/pairing-link.ts"
import {
  inboxTopic,
  pairingTopic,
  registrationAnswerTopic,
  registrationRequestTopic,
} from "../../src/wire/topics.ts"
import { codeOf } from "./fake-nameplate.ts"
import { hash32 } from "../../src/crypto/kdf.ts"
import { counting, recordedRandom } from "../recorded-random.ts"

const CODE = "7-crowd-river"

const bundle = counting(0)(1402)
const PIN = { kind: "pin", pin: counting(100)(16) } as const
const ACCOUNT = { username: "älice", password: "s3cret" }
const access: Access = {
  proof: PIN,
  entry: { kind: "invitation", invitation: counting(120)(72) },
}

/** One pairing by code: what both sides draw, each message, and the resulting key. */
function pairingByCode() {
  const messages: Record<string, string> = {}
  const [drawnByOwner, drawnByCaller] = [recordedRandom(counting(1)), recordedRandom(counting(2))]
  const [owner, caller] = [drawnByOwner.random, drawnByCaller.random]
  let now = 0
  const ask = beginOffer(codeOf(CODE), owner)
  let alice: OfferState = ask.next
  const stepOwner = (event: Parameters<typeof offerStep>[1]) => {
    const step = offerStep(alice, event, { now, random: owner })
    alice = step.next
    return step
  }
  stepOwner({ kind: "asked" })
  now = LISTEN_MS
  const claim = stepOwner({ kind: "tick" }).send[0]!
  const call = beginAnswer(codeOf(CODE), true, caller)
  let bob: AnswerState = call.next
  const stepCaller = (event: Parameters<typeof answerStep>[1]) => {
    const step = answerStep(bob, event, { now, random: caller })
    bob = step.next
    return step
  }
  const answer = stepCaller({ kind: "message", bytes: claim }).send[0]!
  const answered = stepOwner({ kind: "message", bytes: answer })
  if (answered.effect?.kind !== "answered") throw new Error("no answer")
  const share = stepOwner({ kind: "counted", caller: answered.effect.caller }).send[0]!
  stepCaller({ kind: "message", bytes: share })
  const proof = stepCaller({ kind: "counted" }).send[0]!
  const proved = stepOwner({ kind: "message", bytes: proof })
  const grant = stepOwner({ kind: "ready", grant: { bundle, access } }).send[0]!
  const keyed = stepCaller({ kind: "message", bytes: grant })
  const stop = stepCaller({ kind: "cancel" }).send[0]!
  if (proved.effect?.kind !== "proved" || keyed.effect?.kind !== "proved") throw new Error("no key")
  const sent = { ask: call.send[0]!, claim, answer, share, proof, grant, stop }
  for (const [name, bytes] of Object.entries(sent)) messages[name] = toHex(bytes)
  const [ownerId, ownerScalar, nonce] = drawnByOwner.take(3)
  const [callerId, callerScalar] = drawnByCaller.take(2)
  return {
    ...{ code: CODE, nameplate: 7, ownerId, callerId, ownerScalar, callerScalar, nonce },
    ...{ bundle: toHex(bundle), access: toHex(encodeAccess(access)), messages },
    psk: toHex(proved.effect.psk),
  }
}

/** Everything that `pairing` and its wire files write, made with counting bytes. */
export function pairingVectors() {
  const bundleHash = hash32(bundle)
  const address = { host: "192.168.1.20", port: 8883 }
  const inbox = { device: counting(10)(16), mailbox: counting(30)(16) }
  const { proof } = access
  const invitation = counting(120)(72)
  const members = [address, { host: "fe80::1", port: 1884 }] as const
  const parts = {
    bundle: toHex(bundle),
    bundleHash: toHex(bundleHash),
    inbox: toHex(concat(inbox.device, inbox.mailbox)),
    pin: toHex(counting(100)(16)),
    invitation: toHex(invitation),
    ...{ account: ACCOUNT, address: "192.168.1.20" },
    members: "192.168.1.20,[fe80::1]:1884",
    requestNonce: toHex(counting(50)(24)),
    answerNonce: toHex(counting(60)(24)),
  }
  return {
    about:
      "A pairing by code, links, a link request and its answer, access, topics and a bundle file: clauses W-10, W-41 to W-47, P-10 to P-40.",
    code: pairingByCode(),
    words: { sas: toHex(bundleHash), words: fourWords(bundleHash) },
    parts,
    link: formatPairingLink({ address, bundleHash, inbox, proof, invitation: undefined }),
    linkForNewcomer: formatPairingLink({ address, bundleHash, inbox, proof, invitation }),
    linkForNewcomerElsewhere: formatPairingLink({ address, bundleHash, inbox, proof, invitation, members }),
    linkWithoutTls: formatPairingLink({
      ...{ address, bundleHash, inbox },
      proof: { kind: "insecure" },
      invitation: undefined,
    }),
    accessWithoutTls: toHex(encodeAccess({ proof: { kind: "insecure" }, entry: { kind: "account" } })),
    accessByName: toHex(encodeAccess({ proof: { kind: "name" }, entry: { kind: "none" } })),
    accessByAccount: toHex(encodeAccess({ proof, entry: { kind: "account", ...ACCOUNT } })),
    accessElsewhere: toHex(encodeAccess({ ...access, members })),
    linkRequest: toHex(sealLinkRequest(bundleHash, inbox, counting(50))),
    linkAnswer: toHex(sealLinkAnswer(bundleHash, bundle, counting(60))),
    invitationLink: formatInvitationLink({ address, proof: PIN, invitation }),
    invitationLinkElsewhere: formatInvitationLink({ address, proof: PIN, invitation, members }),
    topics: {
      inbox: inboxTopic(inbox),
      nameplate: pairingTopic(7),
      request: registrationRequestTopic(toBase64url(inbox.device)),
      answer: registrationAnswerTopic(toBase64url(inbox.device)),
    },
    file: armour({ bundle, name: utf8("Alice"), address, access }),
  }
}
