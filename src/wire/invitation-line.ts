import { fromBase64url, toBase64url } from "../crypto/bytes.ts"
import {
  type BrokerProof,
  decodeProof,
  encodeMembers,
  encodeProof,
  INVITATION_BYTES,
  PIN_BYTES,
  readMembers,
} from "./access.ts"
import { type Address, type Addresses, formatAddress, parseAddress } from "./address.ts"
import { decode, Writer } from "./codec.ts"

const SCHEME = "mqttchat://"
const PLACE = "/join#"

/** An invitation with the way to the broker that it is for: all that a newcomer is given. */
export type InvitationLine = {
  readonly address: Address
  readonly proof: BrokerProof
  /** 72 bytes. */
  readonly invitation: Uint8Array
  /** Where members connect, if it is not at `address`. */
  readonly members?: Addresses
}

/** `mqttchat://HOST[:PORT]/join#` and base64url of pin 16, invitation 72 and perhaps the members' addresses [W-46]. */
export function formatInvitation({ address, proof, invitation, members }: InvitationLine): string {
  const bytes = new Writer().bytes(encodeProof(proof)).bytes(invitation).bytes(encodeMembers(members)).done()
  return `${SCHEME}${formatAddress(address)}${PLACE}${toBase64url(bytes)}`
}

/** True for what is meant as an invitation, whole or not. */
export function isInvitation(text: string): boolean {
  return text.trimStart().startsWith(SCHEME) && text.includes(PLACE)
}

/** The invitation, or undefined unless the text is one, apart from blanks and line breaks of a terminal [W-46]. */
export function parseInvitation(text: string): InvitationLine | undefined {
  const spelled = text.replaceAll(/\s/g, "")
  const [place = "", fragment = "", ...more] = spelled.slice(SCHEME.length).split(PLACE)
  const address = parseAddress(place)
  const bytes = fromBase64url(fragment)
  if (address === undefined || bytes === undefined || more.length > 0) return undefined
  const line = decode(bytes, (reader) => ({
    address,
    proof: decodeProof(reader.bytes(PIN_BYTES)),
    invitation: reader.bytes(INVITATION_BYTES),
    ...readMembers(reader),
  }))
  return line !== undefined && formatInvitation(line) === spelled ? line : undefined
}
