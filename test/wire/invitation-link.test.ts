import fc from "fast-check"
import { expect, test } from "vitest"
import {
  formatInvitationLink,
  isInvitationLink,
  parseInvitationLink,
} from "../../src/wire/invitation-link.ts"
import { parsePairingLink } from "../../src/wire/pairing-link.ts"

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const members = fc.constantFrom(
  [{ host: "node-1", port: 8883 }] as const,
  [
    { host: "node-1", port: 8883 },
    { host: "node-2", port: 4433 },
  ] as const,
)
const invitations = fc.record(
  {
    address: fc.record({
      host: fc.constantFrom("broker.example", "10.0.0.5", "fd00::1"),
      port: fc.integer({ min: 1, max: 65_535 }),
    }),
    proof: fc.oneof(
      fc.constant({ kind: "name" } as const),
      bytes(16)
        .filter((pin) => pin.some((byte) => byte !== 0))
        .map((pin) => ({ kind: "pin", pin }) as const),
    ),
    invitation: bytes(72),
    members,
  },
  { requiredKeys: ["address", "proof", "invitation"] },
)

test("an invitation reads back unchanged, also broken over lines of an email [W-46]", () => {
  fc.assert(
    fc.property(invitations, fc.nat(), (link, at) => {
      const text = formatInvitationLink(link)
      expect(parseInvitationLink(text)).toEqual(link)
      const cut = at % text.length
      expect(parseInvitationLink(` ${text.slice(0, cut)}\r\n  ${text.slice(cut)}\n`)).toEqual(link)
      expect(isInvitationLink(text)).toBe(true)
      expect(parsePairingLink(text)).toBeUndefined()
    }),
  )
})

test("every cut, every changed case and every added letter is refused [W-46]", () => {
  const invitation = new Uint8Array(72).map((_zero, index) => index * 3)
  const proof = { kind: "pin", pin: new Uint8Array(16).fill(7) } as const
  const text = formatInvitationLink({ address: { host: "broker.example", port: 8883 }, proof, invitation })
  expect(text).toBe(`mqttchat://broker.example/join#${text.slice(31)}`)
  for (let length = 0; length < text.length; length += 1)
    expect(parseInvitationLink(text.slice(0, length))).toBeUndefined()
  expect(parseInvitationLink(`${text}A`)).toBeUndefined()
  expect(parseInvitationLink(text.replace("broker", "Broker"))).toBeUndefined()
  expect(parseInvitationLink(text.replace("broker.example", "broker.example:8883"))).toBeUndefined()
  expect(parseInvitationLink(text.replace("/join#", "/2#"))).toBeUndefined()
  expect(parseInvitationLink(text.replace("broker.example", "-"))).toBeUndefined()
  expect(parseInvitationLink(`${text}/join#`)).toBeUndefined()
  expect(parseInvitationLink(`${text}/join#AAAA`)).toBeUndefined()
})

test("an invitation to a broker without TLS is refused [W-47]", () => {
  const forged = Buffer.from([2, ...Array<number>(72).fill(1)]).toString("base64url")
  expect(parseInvitationLink(`mqttchat://broker.example/join#${forged}`)).toBeUndefined()
})

test("an intended invitation is distinguished from other text, complete or not [W-46]", () => {
  expect(isInvitationLink("  mqttchat://pi/join#AAA")).toBe(true)
  expect(isInvitationLink("mqttchat://pi/2#AAA")).toBe(false)
  expect(isInvitationLink("https://pi/join#AAA")).toBe(false)
  expect(isInvitationLink("7-crowd-river@pi")).toBe(false)
})
