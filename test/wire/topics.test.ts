import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { toBase64url } from "../../src/crypto/bytes.ts"
import {
  inboxTopic,
  isId,
  NAMEPLATE_MAX,
  pairingTopic,
  parseTopic,
  REGISTRATION_REQUESTS,
  registrationAnswerTopic,
  registrationRequestTopic,
} from "../../src/wire/topics.ts"

const device = new Uint8Array(16).map((_zero, index) => 7 * index)
const mailbox = new Uint8Array(16).map((_zero, index) => 255 - index)
const id = toBase64url(device)

describe("a topic", () => {
  it("is written as its clause defines [W-10]", () => {
    const inbox = { device: new Uint8Array(16), mailbox: new Uint8Array(16).fill(255) }
    expect(inboxTopic(inbox)).toBe("mc/1/i/AAAAAAAAAAAAAAAAAAAAAA/_____________________w")
    expect(pairingTopic(47)).toBe("mc/1/p/47")
    expect(registrationRequestTopic("ID")).toBe("mc/1/reg/q/ID")
    expect(registrationAnswerTopic("ID")).toBe("mc/1/reg/a/ID")
    expect(REGISTRATION_REQUESTS).toBe(registrationRequestTopic("+"))
  })

  it.each([
    [inboxTopic({ device, mailbox }), { kind: "inbox", device: id, mailbox: toBase64url(mailbox) }],
    [pairingTopic(1), { kind: "pairing", nameplate: 1 }],
    [pairingTopic(NAMEPLATE_MAX), { kind: "pairing", nameplate: 9999 }],
    [registrationRequestTopic(id), { kind: "registration-request", id }],
    [registrationAnswerTopic(id), { kind: "registration-answer", id }],
  ])("%s has its purpose [W-10]", (topic, read) => {
    expect(parseTopic(topic)).toEqual(read)
  })

  it.each([
    "",
    "mc/1",
    "mc/2/p/7",
    "MC/1/p/7",
    "/mc/1/p/7",
    "mc/1/p/7/",
    "mc/1/p/",
    "mc/1/p/0",
    "mc/1/p/07",
    "mc/1/p/10000",
    "mc/1/p/+",
    "mc/1/#",
    "mc/1/p/7/7",
    "mc/1/x/7",
    `mc/1/i/${id}`,
    `mc/1/i/${id}/+`,
    `mc/1/i/${id}/${id}/${id}`,
    `mc/1/i/${id.slice(1)}/${id}`,
    `mc/1/reg/${id}`,
    `mc/1/reg/x/${id}`,
    `mc/1/reg/q/+`,
    `mc/1/reg/q/${id}/${id}`,
    `mc/1/reg/q/${id}/`,
    `mc/1/p/${id}/${id}`,
    `mc/1/x/${id}/${id}`,
    `mc/1/i/${id}${id}`,
    `mc/1/i//${id}`,
    `mc/1/i/${id}/`,
    `mc/2/i/${id}/${id}`,
    `mx/1/i/${id}/${id}`,
    "mc/1/p/9999 ",
    "mc/1/p/x9",
    "$SYS/broker/clients",
  ])("%j is not a topic [W-10]", (topic) => {
    expect(parseTopic(topic)).toBeUndefined()
  })

  it("has one spelling: a parsed topic is formatted the same way [W-10]", () => {
    const level = fc.stringMatching(/^[A-Za-z0-9_-]{22}$/)
    fc.assert(
      fc.property(level, level, (first, second) => {
        const topic = `mc/1/i/${first}/${second}`
        expect(parseTopic(topic) !== undefined).toBe(isId(first) && isId(second))
      }),
    )
  })
})

describe("an id", () => {
  it("is base64url of 16 bytes, and the unused bits of its last character are zero [W-10]", () => {
    expect(isId("A".repeat(22))).toBe(true)
    expect(isId("A".repeat(21) + "B")).toBe(false)
    expect(isId("A".repeat(21))).toBe(false)
    expect(isId("A".repeat(23))).toBe(false)
    expect(isId("A".repeat(21) + "+")).toBe(false)
    for (const last of "AQgw") expect(isId("-_9z".repeat(5) + "a" + last)).toBe(true)
    expect(isId("+" + "A".repeat(21))).toBe(false)
    expect(isId("A".repeat(22) + "\n")).toBe(false)
  })
})
