import fc from "fast-check"
import { expect, it } from "vitest"
import { toBase64url } from "../../src/crypto/bytes.ts"
import type { Address } from "../../src/wire/address.ts"
import type { Reader } from "../../src/wire/codec.ts"
import { formatLink, isLink, type LinkPath, parseLink } from "../../src/wire/link-text.ts"

type Link = { readonly address: Address; readonly bytes: Uint8Array }

const PATHS = ["/2#", "/join#"] as const
const path = fc.constantFrom<LinkPath>(...PATHS)
const address = fc.record({
  host: fc.constantFrom("broker.example", "192.168.1.20", "localhost"),
  port: fc.integer({ min: 1, max: 65_535 }),
})
const bytes = fc.uint8Array({ maxLength: 80 })

function parse(text: string, kind: LinkPath): Link | undefined {
  const read = (reader: Reader, at: Address): Link => ({ address: at, bytes: reader.rest() })
  return parseLink(text, kind, read, (link) => formatLink(link.address, kind, link.bytes))
}

it("a link is read as it was written, also where a terminal broke it", () => {
  fc.assert(
    fc.property(address, path, bytes, fc.nat(), (at, kind, content, place) => {
      const text = formatLink(at, kind, content)
      const broken = `  ${text.slice(0, place % text.length)}\n  ${text.slice(place % text.length)}\n`
      expect(parse(broken, kind)).toEqual({ address: at, bytes: content })
      expect(isLink(text, kind)).toBe(true)
    }),
  )
})

it("a link of one kind is none of the other", () => {
  fc.assert(
    fc.property(address, path, bytes, (at, kind, content) => {
      const other = kind === "/2#" ? "/join#" : "/2#"
      const text = formatLink(at, kind, content)
      expect(parse(text, other)).toBeUndefined()
      expect(isLink(text, other)).toBe(false)
    }),
  )
})

it("no text but the one that would be written is a link", () => {
  fc.assert(
    fc.property(path, fc.string(), (kind, text) => {
      expect(parse(text, kind)).toBeUndefined()
    }),
  )
  const good = `mqttchat://broker.example/2#${toBase64url(Uint8Array.of(1, 2, 3))}`
  expect(parse(good, "/2#")).toBeDefined()
  const spoilt = [
    good.replace("mqttchat", "mqttchaT"),
    good.replace("broker.example", "BROKER.example"),
    good.replace("broker.example", "broker.example:8883"),
    `${good}=`,
    `${good}/2#`,
    good.slice("mqttchat://".length),
  ]
  for (const text of spoilt) expect(parse(text, "/2#"), text).toBeUndefined()
})
