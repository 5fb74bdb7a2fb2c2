import { identityOf, type Identity } from "./bundle.ts"
import { ascii, concat, Fields, int, toHex, zeros } from "./bytes.ts"
import { H32, isGoodKey, Sign, verify } from "./primitives.ts"

export type Link = {
  kind: number
  number: number
  previous: Uint8Array
  body: Uint8Array
  signer: Uint8Array
  signature: Uint8Array
  bytes: Uint8Array
}
export type Chain = {
  accountId: Uint8Array
  links: Link[]
  devices: { key: Uint8Array; mayChange: boolean }[]
  recoveryKey: Uint8Array | undefined
  /** All keys that ever stood in it. */
  used: string[]
}

/** The length of each kind's body. */
const BODIES = [128, 129, 32, 32]

export function readLinks(bytes: Uint8Array): { links: Link[]; end: "whole" | "malformed" | "unknown-kind" } {
  const links: Link[] = []
  for (let rest = bytes; rest.length > 0; rest = rest.slice(links.at(-1)!.bytes.length)) {
    const length = BODIES[rest[0]!]
    if (length === undefined) return { links, end: "unknown-kind" }
    if (rest.length < 43 + length + 96) return { links, end: "malformed" }
    const fields = new Fields(rest)
    const [kind, number, previous] = [fields.int(1), fields.int(2), fields.take(32)]
    fields.take(8)
    const [body, signer, signature] = [fields.take(length), fields.take(32), fields.take(64)]
    links.push({ kind, number, previous, body, signer, signature, bytes: rest.slice(0, 43 + length + 96) })
  }
  return { links, end: "whole" }
}

/** The first link of an account without a recovery key. */
export function createLink(device: Identity, time: number, random: Uint8Array): Uint8Array {
  const identity = identityOf(device)
  const body = concat(identity, zeros(32), random)
  const unsigned = concat(zeros(35), int(time, 8), body, identity.slice(0, 32))
  return concat(unsigned, Sign(device.signSecret, concat(ascii("mqttchat/1 link"), unsigned)))
}

/** What the signature of a link is made over. */
export function signedPart({ bytes }: Link): Uint8Array {
  return concat(ascii("mqttchat/1 link"), bytes.slice(0, -64))
}

/** What a consent is made over. */
export function consented(accountId: Uint8Array, { bytes, body }: Link): Uint8Array {
  return concat(ascii("mqttchat/1 join"), accountId, bytes.slice(1, 35), body.slice(0, 65))
}

/** */
export function headOf(link: Link): Uint8Array {
  return H32(ascii("mqttchat/1 head"), link.bytes)
}

const isSame = (one: Uint8Array, other: Uint8Array) => toHex(one) === toHex(other)
const isNone = (key: Uint8Array) => key.every((byte) => byte === 0)

/** The chain after one more good link, or why it is refused to. */
function follow(chain: Chain | undefined, link: Link): Chain | string {
  const isNext = chain === undefined ? isFirst(link) : isBehind(chain, link)
  if (!isNext) return "number"
  const keys = newKeys(link)
  if (!keys.every(({ key, isSigned }) => (isSigned ? isGoodKey(key) : isX25519(key)))) return "weak-key"
  const names = keys.map(({ key }) => toHex(key))
  const used = chain?.used ?? []
  if (new Set([...names, ...used]).size < names.length + used.length) return "key-reused"
  if (!maySign(chain, link)) return "signer"
  if (!verify(link.signer, signedPart(link), link.signature)) return "signature"
  return applied(chain, link, names)
}

function isFirst({ kind, number, previous }: Link): boolean {
  return kind === 0 && number === 0 && isNone(previous)
}

function isBehind({ links }: Chain, { kind, number, previous }: Link): boolean {
  const last = links.at(-1)
  return kind !== 0 && number === links.length && last !== undefined && isSame(previous, headOf(last))
}

/** The Ed25519 and X25519 keys that a link brings in. */
function newKeys({ kind, body }: Link): { key: Uint8Array; isSigned: boolean }[] {
  const device = [
    { key: body.slice(0, 32), isSigned: true },
    { key: body.slice(32, 64), isSigned: false },
  ]
  const recovery = kind === 0 ? body.slice(64, 96) : body
  switch (kind) {
    case 0:
      return isNone(recovery) ? device : [...device, { key: recovery, isSigned: true }]
    case 1:
      return device
    case 3:
      return [{ key: recovery, isSigned: true }]
    default:
      return []
  }
}

/** Below 2^255 - 19, the top bit clear. */
function isX25519(key: Uint8Array): boolean {
  return BigInt(`0x${toHex(Uint8Array.from(key).reverse())}`) < 2n ** 255n - 19n
}

function isOfRecovery(chain: Chain, { signer }: Link): boolean {
  return chain.recoveryKey !== undefined && isSame(chain.recoveryKey, signer)
}

/** */
function maySign(chain: Chain | undefined, link: Link): boolean {
  if (chain === undefined) return isSame(link.signer, link.body.slice(0, 32))
  const mayChange = chain.devices.some(
    ({ key, mayChange }) => mayChange && isSame(key.slice(0, 32), link.signer),
  )
  if (link.kind === 3) return chain.recoveryKey === undefined ? mayChange : isOfRecovery(chain, link)
  const isOwnRemoval = link.kind === 2 && isSame(link.body, link.signer)
  return mayChange || isOfRecovery(chain, link) || isOwnRemoval
}

function applied(chain: Chain | undefined, link: Link, names: string[]): Chain | string {
  const before = chain ?? {
    accountId: headOf(link),
    links: [],
    devices: [],
    recoveryKey: undefined,
    used: [],
  }
  const next = { ...before, links: [...before.links, link], used: [...before.used, ...names] }
  const change = changed(next, link)
  if (typeof change === "string") return change
  if (change.devices.length > 8 || change.links.length > 256) return "too-many"
  const isLost = change.recoveryKey === undefined && !change.devices.some(({ mayChange }) => mayChange)
  return isLost ? "no-device-may-change" : change
}

function changed(chain: Chain, link: Link): Chain | string {
  const { body } = link
  switch (link.kind) {
    case 0: {
      const recovery = body.slice(64, 96)
      const devices = [{ key: body.slice(0, 64), mayChange: true }]
      return { ...chain, devices, recoveryKey: isNone(recovery) ? undefined : recovery }
    }
    case 1: {
      const rights = body[64] ?? 0
      if (rights > 1) return "rights"
      if (!verify(body.slice(0, 32), consented(chain.accountId, link), body.slice(65))) return "consent"
      return { ...chain, devices: [...chain.devices, { key: body.slice(0, 64), mayChange: rights === 1 }] }
    }
    case 2: {
      const devices = chain.devices.filter(({ key }) => !isSame(key.slice(0, 32), body))
      return devices.length === chain.devices.length ? "no-device" : { ...chain, devices }
    }
    default:
      return { ...chain, recoveryKey: body }
  }
}

/** As far as the links are good. */
export function judge(
  links: readonly Link[],
  from?: Chain,
): { chain: Chain | undefined; refused: string | null } {
  let chain = from
  for (const link of links) {
    const next = follow(chain, link)
    if (typeof next === "string") return { chain, refused: next }
    chain = next
  }
  return { chain, refused: null }
}

/** What a reader believes of `one` after it was shown `other`. */
export function compare(one: Chain, other: Chain): { outcome: string; believed: Uint8Array } {
  const at = one.links.findIndex(
    ({ bytes }, index) => toHex(bytes) !== toHex(other.links[index]?.bytes ?? bytes),
  )
  const head = headOf(one.links.at(-1)!)
  if (at === -1) return { outcome: "unchanged", believed: head }
  const common = judge(one.links.slice(0, at)).chain!
  const [ours, theirs] = [one, other].map(({ links }) => isOfRecovery(common, links[at]!))
  const isInForceIn = ({ recoveryKey }: Chain) =>
    recoveryKey !== undefined && common.recoveryKey !== undefined && isSame(recoveryKey, common.recoveryKey)
  if (theirs && !ours && isInForceIn(one))
    return { outcome: "replaced", believed: headOf(other.links.at(-1)!) }
  if (ours && !theirs && isInForceIn(other)) return { outcome: "outranked", believed: head }
  return { outcome: "forked", believed: head }
}
