import { concat, toHex } from "../../src/crypto/bytes.ts"
import type { AccountChain } from "../../src/account/account-chain.ts"
import { readLinks, type ChainLink } from "../../src/account/chain-link.ts"
import { extendChain } from "../../src/account/branches.ts"
import { startChain } from "../../src/account/judge.ts"
import {
  addOf,
  aliceAccount,
  appended,
  byRecoveryKey,
  createOf,
  device,
  laptop,
  paper,
  phone,
  recoveryKey,
  recoveryOf,
  removeOf,
  withDevice,
} from "./account-fixture.ts"

const hexOf = (...links: readonly ChainLink[]) => toHex(concat(...links.map(({ bytes }) => bytes)))

function secretsOf(name: string) {
  const { signSecret, boxSecret, public: keys } = device(name)
  return {
    ed25519Secret: toHex(signSecret),
    x25519Secret: toHex(boxSecret),
    ed25519: toHex(keys.sign),
    x25519: toHex(keys.box),
  }
}

function stateOf(chain: AccountChain) {
  return {
    accountId: toHex(chain.accountId),
    links: chain.links.length,
    head: toHex(chain.head),
    devices: chain.devices.map(
      ({ identity, mayChange }) => `${toHex(identity.sign)}${toHex(identity.box)} ${Number(mayChange)}`,
    ),
    recoveryKey: chain.recoveryKey === undefined ? null : toHex(chain.recoveryKey),
  }
}

/** What a reader believes of the bytes of a whole chain. */
function readChain(hex: string) {
  const { links, end } = readLinks(Buffer.from(hex, "hex"))
  const first = links[0] && startChain(links[0])
  if (first?.kind !== "good") return { end, refused: first?.why ?? null, state: null }
  const known = { chain: first.chain, rival: undefined, compared: 0 }
  const { known: next, refused } = extendChain(known, links)
  return { end, refused: refused ?? null, state: stateOf(next.chain) }
}

/** What a reader of the first chain believes when it is shown the second. */
function readBranches(one: string, other: string) {
  const [known, shown] = [one, other].map((hex) => readLinks(Buffer.from(hex, "hex")).links)
  const first = startChain(known![0]!)
  if (first.kind === "refused") throw new Error(first.why)
  const start = extendChain({ chain: first.chain, rival: undefined, compared: 0 }, known!).known
  const { known: next, outcome } = extendChain(start, shown!)
  return { outcome, believed: toHex(next.chain.head) }
}

/** Chains of Alice's, with the secrets of everybody who signs: good ones, bad ones, and pairs of branches. */
export function makeVectors() {
  const start = aliceAccount(paper)
  const two = withDevice(start, "phone", 0)
  const three = appended(two, recoveryOf(two, recoveryKey("second").publicKey, byRecoveryKey(paper)))
  const four = appended(three, removeOf(three, phone.key, phone))
  const base = withDevice(start, "phone")
  const stolen = appended(base, addOf(base, device("mallory"), phone))
  const removal = appended(base, removeOf(base, phone.key, laptop))
  const recovered = appended(base, removeOf(base, phone.key, byRecoveryKey(paper)))
  const plain = aliceAccount()
  const chains = {
    "a create link": hexOf(...plain.links),
    "one link of each kind": hexOf(...four.links),
    "signed by a device without the right": hexOf(...two.links, addOf(two, device("tablet"), phone)),
    "a consent for another right": hexOf(
      ...start.links,
      addOf(start, device("phone"), laptop, { consent: badConsent() }),
    ),
    "a device again": hexOf(...four.links, addOf(four, device("phone"), laptop)),
    "a recovery key of small order": hexOf(createOf(device("laptop"), { recovery: smallOrder() })),
    "nobody is left": hexOf(...plain.links, removeOf(plain, laptop.key, laptop)),
    "a link is missing": hexOf(...four.links.slice(0, 2), ...four.links.slice(3)),
    "cut off": hexOf(...two.links).slice(0, -2),
    "an unknown kind": `${hexOf(...two.links)}04${"00".repeat(170)}`,
  }
  const heads = { stolen, removal, recovered }
  const branches = Object.fromEntries(
    Object.entries(heads).map(([name, { links }]) => [name, hexOf(...links)]),
  )
  const pairs = Object.keys(branches).flatMap((one) =>
    Object.keys(branches).map((other) => [one, other] as const),
  )
  return {
    devices: Object.fromEntries(
      ["laptop", "phone", "tablet", "mallory"].map((name) => [name, secretsOf(name)]),
    ),
    recoveryKeys: Object.fromEntries(
      ["paper", "second"].map((name) => [name, toHex(recoveryKey(name).secretKey)]),
    ),
    chains: Object.fromEntries(
      Object.entries(chains).map(([name, links]) => [name, { links, ...readChain(links) }]),
    ),
    branches,
    pairs: pairs.map(([one, other]) => ({ one, other, ...readBranches(branches[one]!, branches[other]!) })),
  }
}

function badConsent(): Uint8Array {
  const { body } = addOf(aliceAccount(paper), device("phone"), laptop, { rights: 0 })
  if (body.kind !== "add") throw new Error("not an add link")
  return body.consent
}

function smallOrder(): Uint8Array {
  return Uint8Array.of(1, ...new Uint8Array(31))
}
