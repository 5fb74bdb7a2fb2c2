import { createHash } from "node:crypto"
import { concat, type VerifyKey } from "../../src/crypto/bytes.ts"
import { sign, signKeyPair, type SignKeyPair } from "../../src/crypto/nacl.ts"
import type { AccountChain } from "../../src/account/account-chain.ts"
import { readLinks, type ChainLink } from "../../src/account/chain-link.ts"
import { appendLink, startChain } from "../../src/account/judge.ts"
import type { IdentityKeys } from "../../src/wire/identity.ts"
import { newIdentity, seededRandom } from "../session/session-fixture.ts"

export const TIME = 1_800_000_000_000
export const ZEROS = new Uint8Array(32)
const KIND = { create: 0, add: 1, remove: 2, recoveryKey: 3 }

/** The same device for the same name. */
export const device = (name: string): IdentityKeys => newIdentity(seededRandom(`device ${name}`))
export const recoveryKey = (name: string): SignKeyPair => signKeyPair(seededRandom(`recovery key ${name}`))

export function hash32(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(
    createHash("sha512")
      .update(concat(...parts))
      .digest()
      .subarray(0, 32),
  )
}

/** The key that signs a link: a device's or a recovery key. */
export type Signer = { secret: IdentityKeys["signSecret"]; key: VerifyKey }
export const byDevice = ({ signSecret, public: { sign: key } }: IdentityKeys): Signer => ({
  secret: signSecret,
  key,
})
export const byRecoveryKey = ({ secretKey, publicKey }: SignKeyPair): Signer => ({
  secret: secretKey,
  key: publicKey,
})

/** Where a link stands: after `links` links, behind this head. */
export type Position = { number: number; previous: Uint8Array }
const START: Position = { number: 0, previous: ZEROS }
export const endOf = (chain: AccountChain): Position => ({
  number: chain.links.length,
  previous: chain.head,
})

/** The bytes of a link as SPEC.md has them, written without the room's own code. */
export function linkBytes(kind: number, at: Position, body: Uint8Array, signer: Signer): Uint8Array {
  const header = Buffer.alloc(3)
  header.writeUInt8(kind)
  header.writeUInt16LE(at.number, 1)
  const time = Buffer.alloc(8)
  time.writeBigUInt64LE(BigInt(TIME + at.number))
  const unsigned = concat(header, at.previous, time, body, signer.key)
  return concat(unsigned, sign(concat(Buffer.from("mqttchat/1 link"), unsigned), signer.secret))
}

export function parse(bytes: Uint8Array): ChainLink {
  const { links, end } = readLinks(bytes)
  if (end !== "whole" || links.length !== 1) throw new Error(`not one link: ${end}`)
  return links[0]!
}

export type CreateTerms = { recovery?: Uint8Array; random?: Uint8Array; signer?: Signer; at?: Position }

export function createOf(owner: IdentityKeys, terms: CreateTerms = {}): ChainLink {
  const {
    recovery = ZEROS,
    random = new Uint8Array(32).fill(7),
    signer = byDevice(owner),
    at = START,
  } = terms
  const body = concat(owner.public.sign, owner.public.box, recovery, random)
  return parse(linkBytes(KIND.create, at, body, signer))
}

export function joinBytes(
  accountId: Uint8Array,
  at: Position,
  { public: { sign: signing, box } }: IdentityKeys,
  rights: number,
): Uint8Array {
  const number = Buffer.alloc(2)
  number.writeUInt16LE(at.number)
  const label = Buffer.from("mqttchat/1 join")
  return concat(label, accountId, number, at.previous, signing, box, Uint8Array.of(rights))
}

export type AddTerms = { rights?: number; at?: Position; consent?: Uint8Array }

export function addOf(
  chain: AccountChain,
  added: IdentityKeys,
  signer: Signer,
  terms: AddTerms = {},
): ChainLink {
  const { rights = 1, at = endOf(chain) } = terms
  const consent = terms.consent ?? sign(joinBytes(chain.accountId, at, added, rights), added.signSecret)
  const body = concat(added.public.sign, added.public.box, Uint8Array.of(rights), consent)
  return parse(linkBytes(KIND.add, at, body, signer))
}

export function removeOf(chain: AccountChain, key: Uint8Array, signer: Signer, at = endOf(chain)): ChainLink {
  return parse(linkBytes(KIND.remove, at, key, signer))
}

export function recoveryOf(
  chain: AccountChain,
  key: Uint8Array,
  signer: Signer,
  at = endOf(chain),
): ChainLink {
  return parse(linkBytes(KIND.recoveryKey, at, key, signer))
}

export function started(link: ChainLink): AccountChain {
  const judged = startChain(link)
  if (judged.kind === "refused") throw new Error(judged.why)
  return judged.chain
}

export function appended(chain: AccountChain, link: ChainLink): AccountChain {
  const judged = appendLink(chain, link)
  if (judged.kind === "refused") throw new Error(judged.why)
  return judged.chain
}

export const laptop = byDevice(device("laptop"))
export const phone = byDevice(device("phone"))
export const paper = recoveryKey("paper")

/** Alice's account: her laptop, and a recovery key if there is one. */
export function aliceAccount(recovery?: SignKeyPair): AccountChain {
  return started(createOf(device("laptop"), recovery && { recovery: recovery.publicKey }))
}

/** The chain with one more device that may change it, added by Alice's laptop. */
export function withDevice(chain: AccountChain, name: string, rights = 1): AccountChain {
  return appended(chain, addOf(chain, device(name), laptop, { rights }))
}
