import { equal, type Random, utf8 } from "../crypto/bytes.ts"
import { hash32, kdf } from "../crypto/kdf.ts"
import { hmac, open, seal } from "../crypto/nacl.ts"
import { BOX_OVERHEAD, KEY_BYTES, NONCE_BYTES } from "../crypto/sizes.ts"
import {
  type BrokerProof,
  encodeMembers,
  encodeProof,
  INVITATION_BYTES,
  readMembers,
  readProof,
} from "./access.ts"
import type { Address, Addresses } from "./address.ts"
import { decode, type Reader, Writer } from "./codec.ts"
import { ID_BYTES, type Inbox } from "./topics.ts"
import { BUNDLE_BYTES, TAG_BYTES } from "./sizes.ts"
import { formatLink, isLink, parseLink } from "./link-text.ts"

export const LINK_REQUEST_BYTES = 256
export const LINK_ANSWER_BYTES = 2048
/** Both objects have the size of a session message, so that a broker cannot tell them from one. */
const REQUEST_PADDING = LINK_REQUEST_BYTES - TAG_BYTES - NONCE_BYTES - BOX_OVERHEAD - 2 * ID_BYTES
const ANSWER_PADDING = LINK_ANSWER_BYTES - NONCE_BYTES - BOX_OVERHEAD - BUNDLE_BYTES
const PATH = "/2#"
const EARLIER_PATH = "/#"
const NO_SALT = new Uint8Array(0)

/** Where to ask for a bundle, and its hash, which is also the secret that lets one ask. */
export type PairingLink = {
  readonly address: Address
  /** First 32 bytes of SHA-512 of the bundle. */
  readonly bundleHash: Uint8Array
  readonly inbox: Inbox
  readonly proof: BrokerProof
  /** 72 bytes, if the link admits a new device at the broker. */
  readonly invitation: Uint8Array | undefined
  /** Where a device admitted by the invitation connects as a member, if elsewhere. */
  readonly members?: Addresses
}

/**
 * `mqttchat://HOST[:PORT]/2#` and base64url of hash 32, device 16, mailbox 16, proof and perhaps an invitation, with
 * or without the members' addresses [W-43].
 */
export function formatPairingLink({
  address,
  bundleHash,
  inbox,
  proof,
  invitation,
  members,
}: PairingLink): string {
  const writer = new Writer().bytes(bundleHash).bytes(inbox.device).bytes(inbox.mailbox)
  writer.bytes(encodeProof(proof)).bytes(invitation ?? new Uint8Array())
  if (invitation !== undefined) writer.bytes(encodeMembers(members))
  return formatLink(address, PATH, writer.done())
}

/** True for a link of a version whose bundles this one cannot answer [W-43]. */
export function isEarlierPairingLink(text: string): boolean {
  return isLink(text, EARLIER_PATH)
}

/** The link, or undefined unless the text is one, apart from blanks and line breaks of a terminal [W-43]. */
export function parsePairingLink(text: string): PairingLink | undefined {
  return parseLink(text, PATH, readPairingLink, formatPairingLink)
}

function readPairingLink(reader: Reader, address: Address): PairingLink | undefined {
  const bundleHash = reader.bytes(KEY_BYTES)
  const inbox = readInbox(reader)
  const proof = readProof(reader)
  const invitation = reader.left === 0 ? undefined : reader.bytes(INVITATION_BYTES)
  if (proof.kind === "insecure" && invitation !== undefined) return undefined
  return { address, bundleHash, inbox, proof, invitation, ...readMembers(reader) }
}

function readInbox(reader: Reader): Inbox {
  return { device: reader.bytes(ID_BYTES), mailbox: reader.bytes(ID_BYTES) }
}

/** Tells the owner which bundle is requested: 16 bytes [W-44]. */
export function linkRequestTag(bundleHash: Uint8Array): Uint8Array {
  return hmac(bundleHash, utf8("mqttchat/1 link request")).slice(0, TAG_BYTES)
}

/** Requests the bundle, to be sent to `inbox`: 256 bytes [W-44]. */
export function sealLinkRequest(bundleHash: Uint8Array, inbox: Inbox, random: Random): Uint8Array {
  const nonce = random(NONCE_BYTES)
  const plain = new Writer().bytes(inbox.device).bytes(inbox.mailbox).bytes(new Uint8Array(REQUEST_PADDING))
  const box = seal(plain.done(), nonce, linkKey(bundleHash, "mqttchat/1 link key"))
  return new Writer().bytes(linkRequestTag(bundleHash)).bytes(nonce).bytes(box).done()
}

/** Where to send the bundle, or undefined for bytes that were not made with the link [W-44]. */
export function openLinkRequest(bundleHash: Uint8Array, request: Uint8Array): Inbox | undefined {
  if (request.length !== LINK_REQUEST_BYTES) return undefined
  if (!equal(request.subarray(0, TAG_BYTES), linkRequestTag(bundleHash))) return undefined
  const key = linkKey(bundleHash, "mqttchat/1 link key")
  const plain = openBox(request.subarray(TAG_BYTES), key)
  return plain && decode(plain, (reader) => readPadded(reader, readInbox))
}

/** The bundle of 1402 bytes for the requester: 2048 bytes [W-45]. */
export function sealLinkAnswer(bundleHash: Uint8Array, bundle: Uint8Array, random: Random): Uint8Array {
  const nonce = random(NONCE_BYTES)
  const plain = new Writer().bytes(bundle).bytes(new Uint8Array(ANSWER_PADDING)).done()
  const box = seal(plain, nonce, linkKey(bundleHash, "mqttchat/1 link answer"))
  return new Writer().bytes(nonce).bytes(box).done()
}

/** The bundle that the link names, or undefined: any other is refused [W-45]. */
export function openLinkAnswer(bundleHash: Uint8Array, answer: Uint8Array): Uint8Array | undefined {
  if (answer.length !== LINK_ANSWER_BYTES) return undefined
  const plain = openBox(answer, linkKey(bundleHash, "mqttchat/1 link answer"))
  const bundle = plain && decode(plain, (reader) => readPadded(reader, (from) => from.bytes(BUNDLE_BYTES)))
  return bundle !== undefined && equal(hash32(bundle), bundleHash) ? bundle : undefined
}

function readPadded<T>(reader: Reader, read: (reader: Reader) => T): T {
  const value = read(reader)
  if (reader.rest().some((byte) => byte !== 0)) reader.refuse()
  return value
}

function openBox(sealed: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  return open(sealed.subarray(NONCE_BYTES), sealed.subarray(0, NONCE_BYTES), key)
}

function linkKey(bundleHash: Uint8Array, label: string): Uint8Array {
  return kdf(NO_SALT, bundleHash, utf8(label), KEY_BYTES)
}
