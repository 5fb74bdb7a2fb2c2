import { expect, test } from "vitest"
import { ascii, hex, toHex } from "./bytes.ts"
import { H } from "./primitives.ts"
import { unreadOf, vectorsOf } from "./vectors.ts"

const { accounts, device, safetyNumber } = vectorsOf("identity.json") as {
  accounts: { id: string; fingerprint: string }[]
  device: { key: string; fingerprint: string }
  safetyNumber: string[]
}

function fingerprintOf(id: string): string {
  return toHex(H(ascii("mqttchat/1 id"), hex(id)).slice(0, 20))
}

test("fingerprints [W-15]", () => {
  for (const { id, fingerprint } of accounts) expect(fingerprintOf(id)).toBe(fingerprint)
  expect(fingerprintOf(device.key)).toBe(device.fingerprint)
})

test("the safety number of two people, from either side [W-16]", () => {
  const [one, other] = accounts.map(({ id }) => id).sort()
  const d = H(ascii("mqttchat/1 safety"), hex(one!), hex(other!))
  const groups = Array.from(
    { length: 12 },
    (_, i) => BigInt(`0x${toHex(d.slice(5 * i, 5 * i + 5))}`) % 100_000n,
  )
  expect(groups.map((group) => group.toString().padStart(5, "0"))).toEqual(safetyNumber)
})

test("no value is left unread", () => {
  expect(unreadOf("identity.json")).toEqual([])
})
