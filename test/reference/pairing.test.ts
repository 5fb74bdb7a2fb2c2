import { wordlist } from "@scure/bip39/wordlists/english.js"
import { expect, test } from "vitest"
import { ascii, concat, field, hex, int, toHex } from "./bytes.ts"
import { exchangeKeys, generator, sessionKey, shareOf } from "./cpace.ts"
import {
  access,
  bundleFile,
  invitationLink,
  link,
  linkAnswer,
  linkRequest,
  proofOf,
  topicsOf,
} from "./links.ts"
import { H32, HMAC, KDF, SB, XDH } from "./primitives.ts"
import { unreadOf, vectorsOf } from "./vectors.ts"

type Texts<Names extends string> = Record<Names, string>
const vectors = vectorsOf("pairing.json") as {
  code: Texts<
    "code" | "ownerId" | "callerId" | "ownerScalar" | "callerScalar" | "nonce" | "bundle" | "access" | "psk"
  > & {
    nameplate: number
    messages: Texts<"ask" | "claim" | "answer" | "share" | "proof" | "grant" | "stop">
  }
  words: { sas: string; words: string[] }
  parts: Texts<
    | "bundle"
    | "bundleHash"
    | "inbox"
    | "pin"
    | "invitation"
    | "address"
    | "members"
    | "requestNonce"
    | "answerNonce"
  > & { account: Texts<"username" | "password"> }
  link: string
  linkForNewcomer: string
  linkForNewcomerElsewhere: string
  linkWithoutTls: string
  accessWithoutTls: string
  accessByName: string
  accessByAccount: string
  accessElsewhere: string
  invitationLink: string
  invitationLinkElsewhere: string
  topics: Texts<"inbox" | "nameplate" | "request" | "answer">
  linkRequest: string
  linkAnswer: string
  file: string
}

/** [P-30] */
export function fourWords(bytes: Uint8Array): string[] {
  const bits = [...bytes.slice(0, 6)].map((byte) => byte.toString(2).padStart(8, "0")).join("")
  return [0, 11, 22, 33].map((at) => wordlist[Number.parseInt(bits.slice(at, at + 11), 2)] ?? "")
}

test("CPace: every value of the draft's vector, and no share of low order [P-10] [P-12]", () => {
  const { G_25519: draft, X25519_points: points } = vectorsOf("cpace.json") as Record<string, Texts<string>>
  const value = (name: string) => hex(draft![name]!)
  const g = generator(value("PRS"), value("CI"), value("sid"))
  const [Ya, Yb] = [XDH(value("ya"), g)!, XDH(value("yb"), g)!]
  const secret = XDH(value("ya"), Yb)!
  const isk = sessionKey(value("sid"), secret, [Ya, value("ADa"), Yb, value("ADb")])
  const all = { g, Ya, Yb, K: XDH(value("yb"), Ya)!, ISK_IR: isk }
  for (const [name, bytes] of Object.entries(all)) expect(toHex(bytes).toUpperCase()).toBe(draft![name])
  const refused = Object.entries(points!).filter(
    ([, point]) => XDH(new Uint8Array(32).fill(7), hex(point)) === undefined,
  )
  expect(refused.map(([name]) => name)).toEqual([0, 1, 2, 3, 4, 5, 7].map((at) => `Invalid Y${at}`))
})

test("a pairing by code, each of its messages and its key [W-41] [P-10] to [P-14]", () => {
  const { code, nameplate, messages, psk, ...parts } = vectors.code
  const [owner, caller] = [hex(parts.ownerId), hex(parts.callerId)]
  const exchange = { code, nameplate, ownerId: owner, callerId: caller }
  const [ownerScalar, callerScalar] = [hex(parts.ownerScalar), hex(parts.callerScalar)]
  const [ownerShare, callerShare] = [shareOf(exchange, ownerScalar), shareOf(exchange, callerScalar)]
  const keys = exchangeKeys(concat(owner, caller), XDH(ownerScalar, callerShare)!, callerShare, ownerShare)
  const nonce = hex(parts.nonce)
  const box = SB(concat(hex(parts.bundle), hex(parts.access)), nonce, keys.grantKey)
  const byte = (value: number) => int(value, 1)
  const expected = {
    claim: concat(byte(0), byte(1), owner),
    answer: concat(byte(1), byte(1), owner, caller, callerShare),
    grant: concat(byte(2), caller, keys.ownerProof, nonce, box),
    proof: concat(byte(3), caller, keys.callerProof),
    ask: concat(byte(4), byte(1), caller),
    stop: concat(byte(5), caller),
    share: concat(byte(6), caller, ownerShare),
  }
  for (const [name, bytes] of Object.entries(expected))
    expect([name, toHex(bytes)]).toEqual([name, messages[name as "ask"]])
  expect(XDH(callerScalar, ownerShare)).toEqual(XDH(ownerScalar, callerShare))
  expect(toHex(keys.psk)).toBe(psk)
})

test("the four words [P-30]", () => {
  expect(fourWords(hex(vectors.words.sas))).toEqual(vectors.words.words)
})

test("links, their request and answer, access, topics and a bundle file [W-10] [W-42] to [W-47] [P-40]", () => {
  const { address, members, ...parts } = vectors.parts
  const [bundle, bundleHash, inbox] = [hex(parts.bundle), hex(parts.bundleHash), hex(parts.inbox)]
  const [invitation, proof] = [hex(parts.invitation), proofOf(hex(parts.pin))]
  const to = { address, bundleHash, inbox, proof }
  expect(H32(bundle)).toEqual(bundleHash)
  expect(link(to)).toBe(vectors.link)
  expect(link(to, invitation)).toBe(vectors.linkForNewcomer)
  expect(link(to, invitation, members)).toBe(vectors.linkForNewcomerElsewhere)
  expect(link({ ...to, proof: proofOf("without TLS") })).toBe(vectors.linkWithoutTls)
  expect(toHex(linkRequest(bundleHash, inbox, hex(parts.requestNonce)))).toBe(vectors.linkRequest)
  expect(toHex(linkAnswer(bundleHash, bundle, hex(parts.answerNonce)))).toBe(vectors.linkAnswer)
  const account = concat(int(0, 2), int(0, 2))
  expect(toHex(access(proofOf("without TLS"), 2, account))).toBe(vectors.accessWithoutTls)
  expect(toHex(access(proof, 1, invitation, members))).toBe(vectors.accessElsewhere)
  expect(toHex(access(proofOf("by name"), 0, new Uint8Array()))).toBe(vectors.accessByName)
  const { username, password } = vectors.parts.account
  expect(toHex(access(proof, 2, concat(field(username), field(password))))).toBe(vectors.accessByAccount)
  expect(invitationLink(address, proof, invitation)).toBe(vectors.invitationLink)
  expect(invitationLink(address, proof, invitation, members)).toBe(vectors.invitationLinkElsewhere)
  expect(topicsOf(inbox, 7, inbox.slice(0, 16))).toEqual(vectors.topics)
  expect(bundleFile(bundle, "Alice", address, access(proof, 1, invitation))).toBe(vectors.file)
})

test("the words of two committed shares, and what is stored on the way [S-51] [S-60] [S-62]", () => {
  type Side = { account: string; head: string }
  const it = vectorsOf("comparison.json") as Texts<
    "sas" | "nonceOfInitiator" | "nonceOfOwner" | "shareOfInitiator" | "shareOfOwner" | "words" | "fourWords"
  > & {
    initiator: Side
    owner: Side
    stored: Texts<"committed" | "answered" | "complete">
  }

  const [nI, nR] = [hex(it.nonceOfInitiator), hex(it.nonceOfOwner)]
  expect(toHex(H32(ascii("mqttchat/1 sas"), nI))).toBe(it.shareOfInitiator)
  expect(it.shareOfOwner).toBe(it.nonceOfOwner)
  const heads = [it.initiator, it.owner].map(({ account, head }) => hex(account + head))
  const words = KDF(hex(it.sas), concat(nI, nR), concat(ascii("mqttchat/1 words"), ...heads), 32)
  expect(toHex(words)).toBe(it.words)
  expect(fourWords(words).join(" ")).toBe(it.fourWords)
  const [atInitiator, atOwner] = heads
  const sas = hex(it.sas)
  expect(it.stored).toEqual({
    committed: toHex(concat(int(0, 1), sas, nI, atInitiator!)),
    answered: toHex(concat(int(1, 1), sas, nR, hex(it.shareOfInitiator), atInitiator!, atOwner!, int(0, 1))),
    complete: toHex(concat(int(2, 1), words)),
  })
})

test("the tag of a link request is its own [W-44]", () => {
  const hash = hex(vectors.parts.bundleHash)
  const tag = HMAC(hash, ascii("mqttchat/1 link request")).slice(0, 16)
  expect(vectors.linkRequest.startsWith(toHex(tag))).toBe(true)
})

test("no value is left unread", () => {
  expect(unreadOf("pairing.json")).toEqual([])
  expect(unreadOf("comparison.json")).toEqual([])
})
