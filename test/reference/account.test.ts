import { expect, test } from "vitest"
import { compare, consented, headOf, judge, readLinks, signedPart, type Chain } from "./account.ts"
import { hex, toHex } from "./bytes.ts"
import { boxKey, Sign, signKey } from "./primitives.ts"
import { unreadOf, vectorsOf } from "./vectors.ts"

type Device = { ed25519Secret: string; x25519Secret: string; ed25519: string; x25519: string }
type State = { accountId: string; links: number; head: string; devices: string[]; recoveryKey: string | null }

const vectors = vectorsOf("accounts.json") as {
  devices: Record<string, Device>
  recoveryKeys: Record<string, string>
  chains: Record<string, { links: string; end: string; refused: string | null; state: State | null }>
  branches: Record<string, string>
  pairs: { one: string; other: string; outcome: string; believed: string }[]
}

/** The secrets of all who sign, by their Ed25519 keys. */
const secrets = new Map(
  [
    ...Object.values(vectors.devices).map((device) => device.ed25519Secret),
    ...Object.values(vectors.recoveryKeys),
  ].map((secret) => [toHex(signKey(hex(secret))), hex(secret)]),
)

test("the keys of the devices", () => {
  for (const { ed25519Secret, x25519Secret, ed25519, x25519 } of Object.values(vectors.devices))
    expect([toHex(signKey(hex(ed25519Secret))), toHex(boxKey(hex(x25519Secret)))]).toEqual([ed25519, x25519])
})

function stateOf(chain: Chain): State {
  return {
    accountId: toHex(chain.accountId),
    links: chain.links.length,
    head: toHex(headOf(chain.links.at(-1)!)),
    devices: chain.devices.map(({ key, mayChange }) => `${toHex(key)} ${Number(mayChange)}`),
    recoveryKey: chain.recoveryKey === undefined ? null : toHex(chain.recoveryKey),
  }
}

test.each(Object.entries(vectors.chains))("%s [A-1] to [A-11]", (_, expected) => {
  const { links, end } = readLinks(hex(expected.links))
  const { chain, refused } = judge(links)
  const state = chain === undefined ? null : stateOf(chain)
  expect({ end, refused, state }).toEqual({
    end: expected.end,
    refused: expected.refused,
    state: expected.state,
  })
})

test("each signature and consent is the one that its secret makes [A-1] [A-4]", () => {
  const all = [...Object.values(vectors.chains).map(({ links }) => links), ...Object.values(vectors.branches)]
  for (const bytes of all) {
    const { links } = readLinks(hex(bytes))
    const { chain } = judge(links)
    for (const link of links)
      expect(Sign(secrets.get(toHex(link.signer))!, signedPart(link))).toEqual(link.signature)
    for (const link of chain?.links ?? []) {
      if (link.kind !== 1) continue
      const secret = secrets.get(toHex(link.body.slice(0, 32)))!
      expect(Sign(secret, consented(chain!.accountId, link))).toEqual(link.body.slice(65))
    }
  }
})

test.each(vectors.pairs)("who believes $one and is shown $other [A-21] [A-22]", (pair) => {
  const [one, other] = [pair.one, pair.other].map(
    (name) => judge(readLinks(hex(vectors.branches[name]!)).links).chain!,
  )
  const { outcome, believed } = compare(one!, other!)
  expect({ outcome, believed: toHex(believed) }).toEqual({ outcome: pair.outcome, believed: pair.believed })
})

test("no value is left unread", () => {
  expect(unreadOf("accounts.json")).toEqual([])
})
