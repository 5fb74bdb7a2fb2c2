import { concat, utf8, type SigningKey, type VerifyKey } from "../crypto/bytes.ts"
import { hash32 } from "../crypto/kdf.ts"
import { sign, verify } from "../crypto/nacl.ts"
import { KEY_BYTES, SIGNATURE_BYTES } from "../crypto/sizes.ts"
import { Reader, Writer } from "../wire/codec.ts"
import { ACCOUNT_ID_BYTES } from "../wire/sizes.ts"
import { IDENTITY_BYTES, decodeIdentity, encodeIdentity, type PublicIdentity } from "../wire/identity.ts"

/** What makes two create links of one device differ, and an account id impossible to foresee. */
export const RANDOM_BYTES = 32
/** What the first link has for the head before it. */
export const NO_PREVIOUS = new Uint8Array(ACCOUNT_ID_BYTES)
const KIND = { create: 0, add: 1, remove: 2, "recovery-key": 3 } as const
const LABEL = utf8("mqttchat/1 link")
const HEAD_LABEL = utf8("mqttchat/1 head")
const JOIN_LABEL = utf8("mqttchat/1 join")
const NO_KEY = new Uint8Array(KEY_BYTES)

/** What a link says. */
export type LinkBody =
  | {
      readonly kind: "create"
      readonly device: PublicIdentity
      readonly recoveryKey: VerifyKey | undefined
      readonly random: Uint8Array
    }
  | {
      readonly kind: "add"
      readonly device: PublicIdentity
      /** Whether the new device may change the chain itself. */
      readonly mayChange: boolean
      /** The new device's signature: it wants to belong to this account, here in the chain. */
      readonly consent: Uint8Array
    }
  | { readonly kind: "remove"; readonly key: VerifyKey }
  | { readonly kind: "recovery-key"; readonly key: VerifyKey }

export type LinkContent = {
  readonly number: number
  /** The head of the chain before; zeros in the first link. */
  readonly previous: Uint8Array
  /** Unix milliseconds by the signer's clock, for people to read: no rule looks at it. */
  readonly time: number
  readonly body: LinkBody
  readonly signer: VerifyKey
}

/** One signed change of an account's devices. Its signature and its right to be in a chain are not judged yet. */
export type ChainLink = LinkContent & {
  readonly bytes: Uint8Array
  /** The head of a chain that ends with this link. */
  readonly head: Uint8Array
}

export type LinksRead = {
  readonly links: readonly ChainLink[]
  /** Why reading ended: a link of an unknown kind has an unknown length, so nothing behind it can be read. */
  readonly end: "whole" | "unknown-kind" | "malformed"
}

/** The link with its signature. */
export function signLink(content: LinkContent, key: SigningKey): ChainLink {
  const unsigned = encodeUnsigned(content)
  return linkOf(content, concat(unsigned, sign(concat(LABEL, unsigned), key)))
}

export function isSignedBySigner(link: ChainLink): boolean {
  const unsigned = link.bytes.subarray(0, -SIGNATURE_BYTES)
  return verify(concat(LABEL, unsigned), link.bytes.subarray(-SIGNATURE_BYTES), link.signer)
}

/** What a device signs that wants to be added. */
export function joinMessage(
  accountId: Uint8Array,
  { number, previous }: Pick<LinkContent, "number" | "previous">,
  { device, mayChange }: { readonly device: PublicIdentity; readonly mayChange: boolean },
): Uint8Array {
  return new Writer()
    .bytes(JOIN_LABEL)
    .bytes(accountId)
    .u16(number)
    .bytes(previous)
    .bytes(encodeIdentity(device))
    .u8(Number(mayChange))
    .done()
}

/** Links one after the other, as far as they can be read. */
export function readLinks(bytes: Uint8Array): LinksRead {
  const reader = new Reader(bytes)
  const links: ChainLink[] = []
  while (reader.left > 0) {
    const from = bytes.length - reader.left
    if ((bytes[from] ?? 0) > KIND["recovery-key"]) return { links, end: "unknown-kind" }
    const content = readContent(reader)
    reader.bytes(SIGNATURE_BYTES)
    if (reader.spoilt) return { links, end: "malformed" }
    links.push(linkOf(content, new Uint8Array(bytes.subarray(from, bytes.length - reader.left))))
  }
  return { links, end: "whole" }
}

function linkOf(content: LinkContent, bytes: Uint8Array): ChainLink {
  return { ...content, bytes, head: headOf(bytes) }
}

/** The head of a chain whose last link has these bytes. */
export function headOf(link: Uint8Array): Uint8Array {
  return hash32(HEAD_LABEL, link)
}

function encodeUnsigned({ number, previous, time, body, signer }: LinkContent): Uint8Array {
  return new Writer()
    .u8(KIND[body.kind])
    .u16(number)
    .bytes(previous)
    .u64(time)
    .bytes(encodeBody(body))
    .bytes(signer)
    .done()
}

function encodeBody(body: LinkBody): Uint8Array {
  switch (body.kind) {
    case "create":
      return concat(encodeIdentity(body.device), body.recoveryKey ?? NO_KEY, body.random)
    case "add":
      return concat(encodeIdentity(body.device), Uint8Array.of(Number(body.mayChange)), body.consent)
    case "remove":
    case "recovery-key":
      return body.key
  }
}

function readContent(reader: Reader): LinkContent {
  const kind = reader.u8()
  const number = reader.u16()
  const previous = reader.bytes(ACCOUNT_ID_BYTES)
  const time = reader.u64()
  const body = readBody(reader, kind)
  return { number, previous, time, body, signer: readKey(reader) }
}

function readBody(reader: Reader, kind: number): LinkBody {
  switch (kind) {
    case KIND.create: {
      const device = readDevice(reader)
      const recoveryKey = readKey(reader)
      const isNone = recoveryKey.every((byte) => byte === 0)
      const random = reader.bytes(RANDOM_BYTES)
      return { kind: "create", device, recoveryKey: isNone ? undefined : recoveryKey, random }
    }
    case KIND.add: {
      const device = readDevice(reader)
      return { kind: "add", device, mayChange: reader.flag(), consent: reader.bytes(SIGNATURE_BYTES) }
    }
    case KIND.remove:
      return { kind: "remove", key: readKey(reader) }
    default:
      return { kind: "recovery-key", key: readKey(reader) }
  }
}

function readDevice(reader: Reader): PublicIdentity {
  return decodeIdentity(reader.bytes(IDENTITY_BYTES))
}

function readKey(reader: Reader): VerifyKey {
  return reader.bytes(KEY_BYTES) as VerifyKey
}
