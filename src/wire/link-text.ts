import { fromBase64url, toBase64url } from "../crypto/bytes.ts"
import { type Address, formatAddress, parseAddress } from "./address.ts"
import { decode, type Reader } from "./codec.ts"

const SCHEME = "mqttchat://"

/** The part between the host and the bytes gives the kind of link. */
export type LinkPath = "/2#" | "/join#"

/** `mqttchat://HOST[:PORT]`, the path, and the bytes as base64url. */
export function formatLink(address: Address, path: LinkPath, bytes: Uint8Array): string {
  return `${SCHEME}${formatAddress(address)}${path}${toBase64url(bytes)}`
}

/** True for text that is meant as a link of this kind, complete or not. */
export function isLink(text: string, path: string): boolean {
  return text.trimStart().startsWith(SCHEME) && text.includes(path)
}

/**
 * The result of `read` for the bytes, or undefined unless the text is a link, apart from blanks and line breaks of a
 * terminal, and spelled exactly as `format` spells it.
 */
export function parseLink<T>(
  text: string,
  path: LinkPath,
  read: (reader: Reader, address: Address) => T | undefined,
  format: (link: T) => string,
): T | undefined {
  const spelled = text.replaceAll(/\s/g, "")
  const [hostPort = "", fragment = "", ...more] = spelled.slice(SCHEME.length).split(path)
  const address = parseAddress(hostPort)
  const bytes = fromBase64url(fragment)
  if (address === undefined || bytes === undefined || more.length > 0) return undefined
  const link = decode(bytes, (reader) => read(reader, address))
  return link !== undefined && format(link) === spelled ? link : undefined
}
