import { type Access, decodeAccess, encodeAccess } from "../wire/access.ts"
import { type Address, formatAddress, parseAddress } from "../wire/address.ts"
import { decode, type Reader, Writer } from "../wire/codec.ts"
import { NAME_MAX_BYTES } from "../wire/frame.ts"
import { BUNDLE_BYTES } from "../wire/sizes.ts"

const HEADER = "-----BEGIN MQTTCHAT BUNDLE-----"
const FOOTER = "-----END MQTTCHAT BUNDLE-----"
/** RFC 7468 section 2. */
const LINE_CHARACTERS = 64
const VERSION = 3
/** A host of 253 characters, two brackets and a port. */
const ADDRESS_BYTES_MAX = 261

/** The contents of a bundle file: a bundle of 1402 bytes, and the way to its owner. */
export type BundleFile = {
  readonly bundle: Uint8Array
  /** The owner's name for themselves, at most 64 bytes of UTF-8; not checked, as in HELLO. */
  readonly name: Uint8Array
  readonly address: Address
  readonly access: Access
}

/** version 3 | bundle 1402 | name and address, length u16 before each | access, as base64 between two lines [P-40]. */
export function armour({ bundle, name, address, access }: BundleFile): string {
  const writer = new Writer().u8(VERSION).bytes(bundle).lv16(name).text(formatAddress(address))
  const base64 = Buffer.from(writer.bytes(encodeAccess(access)).done()).toString("base64")
  const lines = base64.match(new RegExp(`.{1,${LINE_CHARACTERS}}`, "g")) ?? []
  return [HEADER, ...lines, FOOTER, ""].join("\n")
}

/**
 * Reads a bundle file anywhere in `text`; line ends and blanks may have been changed on the way,
 * nothing else [P-40]. The session room checks the bundle's signature.
 */
export function readArmour(text: string): BundleFile | undefined {
  const bytes = armouredBytes(text)
  return bytes && decode(bytes, readFile)
}

/** True for a file of a version whose bundles this one cannot answer [P-40]. */
export function isEarlierArmour(text: string): boolean {
  const version = armouredBytes(text)?.[0]
  return version !== undefined && version > 0 && version < VERSION
}

function armouredBytes(text: string): Uint8Array | undefined {
  const [, body, ...more] = text.split(HEADER).flatMap((part) => part.split(FOOTER))
  if (body === undefined || more.length !== 1) return undefined
  const base64 = body.replaceAll(/\s/g, "")
  const bytes = Buffer.from(base64, "base64")
  return bytes.toString("base64") === base64 ? new Uint8Array(bytes) : undefined
}

function readFile(reader: Reader): BundleFile | undefined {
  if (reader.u8() !== VERSION) return undefined
  const bundle = reader.bytes(BUNDLE_BYTES)
  const name = reader.lv16(NAME_MAX_BYTES)
  const written = Buffer.from(reader.lv16(ADDRESS_BYTES_MAX)).toString("utf8")
  const address = parseAddress(written)
  const access = decodeAccess(reader.rest())
  if (address === undefined || formatAddress(address) !== written) return undefined
  return access === undefined ? undefined : { bundle, name, address, access }
}
