import { randomBytes } from "node:crypto"
import { describe, expect, it } from "vitest"
import { utf8 } from "../../src/crypto/bytes.ts"
import { armour, type BundleFile, readArmour } from "../../src/pairing/armour.ts"

const chance = (length: number): Uint8Array => new Uint8Array(randomBytes(length))
const file: BundleFile = {
  bundle: chance(1402),
  name: new Uint8Array(utf8("Alice")),
  address: { host: "pi.local", port: 1884 },
  access: { proof: { kind: "pin", pin: chance(16) }, entry: { kind: "invitation", invitation: chance(72) } },
}

describe("a bundle file", () => {
  it("is text of 64 columns that reads back [P-40]", () => {
    const text = armour(file)
    expect(text.split("\n").every((line) => line.length <= 64)).toBe(true)
    expect(text.length).toBeLessThan(4096)
    expect(readArmour(text)).toEqual(file)
  })

  it("may be in an email, with other line ends [P-40]", () => {
    const mail = `Hi Bob,\r\n\r\n  ${armour(file).replaceAll("\n", "\r\n  ")}\r\n-- \r\nAlice`
    expect(readArmour(mail)).toEqual(file)
  })

  it("that is damaged is refused [P-40]", () => {
    const text = armour(file)
    const lines = text.split("\n")
    const without = (at: number): string => lines.filter((_, index) => index !== at).join("\n")
    const others = [
      "",
      without(0),
      without(1),
      without(lines.length - 2),
      text + text,
      text.replace("END", "ENDE"),
    ]
    for (const other of others) expect(readArmour(other)).toBeUndefined()
    const spelled = armour({ ...file, address: { host: "PI.local", port: 1884 } })
    expect(readArmour(spelled)).toBeUndefined()
  })
})
