import { toHex, type Random } from "../../src/crypto/bytes.ts"
import { answerStep, beginAnswer, type Answering } from "../../src/pairing/answer.ts"
import { armour } from "../../src/pairing/armour.ts"
import { LISTEN_MS } from "../../src/pairing/clock.ts"
import { beginOffer, type Offering, offerStep } from "../../src/pairing/offer.ts"
import { fourWords } from "../../src/pairing/words.ts"
import { type Access, encodeAccess } from "../../src/wire/access.ts"
import { formatLink, sealLinkAnswer, sealLinkRequest } from "../../src/wire/link.ts"
import { codeOf } from "./nameplate.ts"
import { hash32 } from "../../src/crypto/kdf.ts"

const CODE = "7-crowd-river"

/** 00 01 02 ... from `first` on, so that anybody can write the same frames. */
function counting(first: number): Random {
  let next = first
  return (length) => Uint8Array.from({ length }, () => next++ % 256)
}

const bundle = counting(0)(1402)
const access: Access = {
  proof: { kind: "pin", pin: counting(100)(16) },
  entry: { kind: "invitation", invitation: counting(120)(72) },
}

/** One pairing by code, each message and the key that comes of it. */
function pairingByCode(): Record<string, string> {
  const said: Record<string, string> = {}
  const [owner, caller] = [counting(1), counting(2)]
  let now = 0
  const ask = beginOffer(codeOf(CODE), owner)
  let alice: Offering = ask.next
  const hear = (event: Parameters<typeof offerStep>[1]) => {
    const step = offerStep(alice, event, { now, random: owner })
    alice = step.next
    return step
  }
  hear({ kind: "asked" })
  now = LISTEN_MS
  const claim = hear({ kind: "tick" }).send[0]!
  const call = beginAnswer(codeOf(CODE), true, caller)
  let bob: Answering = call.next
  const reply = (event: Parameters<typeof answerStep>[1]) => {
    const step = answerStep(bob, event, { now, random: caller })
    bob = step.next
    return step
  }
  const answer = reply({ kind: "message", bytes: claim }).send[0]!
  const answered = hear({ kind: "message", bytes: answer })
  const grant = hear({ kind: "ready", grant: { bundle, access } }).send[0]!
  reply({ kind: "message", bytes: grant })
  const proof = reply({ kind: "pinned" }).send[0]!
  const keyed = hear({ kind: "message", bytes: proof })
  const stop = reply({ kind: "cancel" }).send[0]!
  if (answered.told?.kind !== "answered" || keyed.told?.kind !== "keyed") throw new Error("no key")
  for (const [name, bytes] of Object.entries({ ask: call.send[0]!, claim, answer, grant, proof, stop })) {
    said[name] = toHex(bytes)
  }
  return { code: CODE, ...said, psk: toHex(answered.told.psk) }
}

/** Everything that this room and its wire files write, made with counting bytes. */
export function pairingVectors() {
  const bundleHash = hash32(bundle)
  const address = { host: "192.168.1.20", port: 8883 }
  const inbox = { device: counting(10)(16), mailbox: counting(30)(16) }
  const { proof } = access
  const invitation = counting(120)(72)
  const members = [address, { host: "fe80::1", port: 1884 }] as const
  return {
    code: pairingByCode(),
    words: fourWords(bundleHash),
    link: formatLink({ address, bundleHash, inbox, proof, invitation: undefined }),
    linkForNewcomer: formatLink({ address, bundleHash, inbox, proof, invitation }),
    linkForNewcomerElsewhere: formatLink({ address, bundleHash, inbox, proof, invitation, members }),
    accessElsewhere: toHex(encodeAccess({ ...access, members })),
    linkRequest: toHex(sealLinkRequest(bundleHash, inbox, counting(50))),
    linkAnswer: toHex(sealLinkAnswer(bundleHash, bundle, counting(60))),
    file: armour({ bundle, address, access }),
  }
}
