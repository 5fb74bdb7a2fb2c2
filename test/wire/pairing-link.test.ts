import { randomBytes } from "node:crypto"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { concat, utf8 } from "../../src/crypto/bytes.ts"
import { hash32, kdf } from "../../src/crypto/kdf.ts"
import { seal } from "../../src/crypto/nacl.ts"
import {
  formatPairingLink,
  type PairingLink,
  LINK_ANSWER_BYTES,
  LINK_REQUEST_BYTES,
  linkRequestTag,
  openLinkAnswer,
  openLinkRequest,
  parsePairingLink,
  sealLinkAnswer,
  sealLinkRequest,
} from "../../src/wire/pairing-link.ts"
import { BUNDLE_BYTES } from "../../src/wire/sizes.ts"

const chance = (length: number): Uint8Array => new Uint8Array(randomBytes(length))
const link: PairingLink = {
  address: { host: "192.168.1.20", port: 8883 },
  bundleHash: chance(32),
  inbox: { device: chance(16), mailbox: chance(16) },
  proof: { kind: "pin", pin: chance(16) },
  invitation: undefined,
}

describe("a link", () => {
  it.each<[string, PairingLink]>([
    ["for a member", link],
    ["for a newcomer", { ...link, invitation: chance(72) }],
    [
      "for a newcomer whose way in is not the members'",
      {
        ...link,
        invitation: chance(72),
        members: [
          { host: "a.example", port: 8883 },
          { host: "b.example", port: 1884 },
        ],
      },
    ],
    [
      "to a broker known by name",
      { ...link, proof: { kind: "name" }, address: { host: "example.org", port: 443 } },
    ],
    ["to a broker without TLS", { ...link, proof: { kind: "insecure" } }],
    ["to an IPv6 address", { ...link, address: { host: "fe80::1", port: 1884 } }],
  ])("%s reads back unchanged [W-43]", (_, given) => {
    expect(parsePairingLink(formatPairingLink(given))).toEqual(given)
  })

  it("for a member holds no member addresses, even if they are known [W-43]", () => {
    const members = [{ host: "a.example", port: 8883 }] as const
    expect(formatPairingLink({ ...link, members })).toBe(formatPairingLink(link))
  })

  it("to a broker without TLS is refused with an invitation [W-47]", () => {
    const invitation = chance(72)
    const forged = formatPairingLink({ ...link, proof: { kind: "insecure" }, invitation })
    expect(parsePairingLink(forged)).toBeUndefined()
  })

  it("survives the line breaks of a terminal and an email [W-43]", () => {
    const text = formatPairingLink(link)
    expect(
      parsePairingLink(`  ${text.slice(0, 40)}\r\n  ${text.slice(40, 90)}\n${text.slice(90)}\n`),
    ).toEqual(link)
  })

  it("truncated, lengthened, respelled or of another scheme is refused [W-43]", () => {
    const text = formatPairingLink(link)
    const others = [
      text.slice(0, -1),
      `${text}A`,
      `${text}#`,
      text.replace("mqttchat", "mqttchaT"),
      text.replace("/2#", "/"),
      text.replace("/2#", "/#"),
      text.replace("20/", "20:8883/"),
      text.replace("192.168.1.20", "-"),
      `${text}/2#`,
      `${text}/2#AAAA`,
      "",
    ]
    for (const other of others) expect(parsePairingLink(other)).toBeUndefined()
    fc.assert(fc.property(fc.string(), (any) => parsePairingLink(`mqttchat://pi/2#${any}`) === undefined))
  })
})

describe("the request for the bundle of a link", () => {
  const request = sealLinkRequest(link.bundleHash, link.inbox, chance)

  it("gives the address for the answer, only to the holder of the link [W-44]", () => {
    expect(request).toHaveLength(LINK_REQUEST_BYTES)
    expect(request.subarray(0, 16)).toEqual(linkRequestTag(link.bundleHash))
    expect(openLinkRequest(link.bundleHash, request)).toEqual(link.inbox)
    expect(openLinkRequest(chance(32), request)).toBeUndefined()
  })

  it("fails with any byte changed, and at any other length [W-44]", () => {
    for (let at = 0; at < request.length; at++) {
      const changed = request.slice()
      changed[at]! ^= 1
      expect(openLinkRequest(link.bundleHash, changed)).toBeUndefined()
    }
    expect(openLinkRequest(link.bundleHash, request.subarray(1))).toBeUndefined()
    expect(openLinkRequest(link.bundleHash, new Uint8Array())).toBeUndefined()
  })
})

describe("padding that is not zero", () => {
  const nonce = chance(24)

  it("invalidates a request [W-2] [W-44]", () => {
    const key = kdf(new Uint8Array(0), link.bundleHash, utf8("mqttchat/1 link key"), 32)
    const plain = new Uint8Array(200)
    const made = (): Uint8Array => concat(linkRequestTag(link.bundleHash), nonce, seal(plain, nonce, key))
    expect(openLinkRequest(link.bundleHash, made())).toBeDefined()
    plain[199] = 1
    expect(openLinkRequest(link.bundleHash, made())).toBeUndefined()
  })

  it("invalidates an answer [W-2] [W-45]", () => {
    const bundle = chance(BUNDLE_BYTES)
    const bundleHash = hash32(bundle)
    const key = kdf(new Uint8Array(0), bundleHash, utf8("mqttchat/1 link answer"), 32)
    const plain = concat(bundle, new Uint8Array(606))
    const made = (): Uint8Array => concat(nonce, seal(plain, nonce, key))
    expect(openLinkAnswer(bundleHash, made())).toEqual(bundle)
    plain[plain.length - 1] = 1
    expect(openLinkAnswer(bundleHash, made())).toBeUndefined()
  })
})

describe("the bundle in the answer", () => {
  const bundle = chance(BUNDLE_BYTES)
  const bundleHash = hash32(bundle)

  it("is the one whose hash the link has, in the size of a message [W-45]", () => {
    const answer = sealLinkAnswer(bundleHash, bundle, chance)
    expect(answer).toHaveLength(LINK_ANSWER_BYTES)
    expect(openLinkAnswer(bundleHash, answer)).toEqual(bundle)
    expect(openLinkAnswer(chance(32), answer)).toBeUndefined()
    expect(openLinkAnswer(bundleHash, answer.subarray(1))).toBeUndefined()
  })

  it("is refused if another holder of the link sends a different one [W-45]", () => {
    expect(
      openLinkAnswer(bundleHash, sealLinkAnswer(bundleHash, chance(BUNDLE_BYTES), chance)),
    ).toBeUndefined()
  })
})
