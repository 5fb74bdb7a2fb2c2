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
const PATH = "/join#"

/** An invitation with the way to the broker that it is for: all that a newcomer is given. */
export type InvitationLink = {
  readonly address: Address
  readonly proof: BrokerProof
  /** 72 bytes. */
  readonly invitation: Uint8Array
  /** Where members connect, if it is not at `address`. */
  readonly members?: Addresses
}

/** `mqttchat://HOST[:PORT]/join#` and base64url of pin 16, invitation 72 and perhaps the members' addresses [W-46]. */
export function formatInvitationLink({ address, proof, invitation, members }: InvitationLink): string {
  const bytes = new Writer().bytes(encodeProof(proof)).bytes(invitation).bytes(encodeMembers(members)).done()
  return `${SCHEME}${formatAddress(address)}${PATH}${toBase64url(bytes)}`
}

/** True for what is meant as an invitation, whole or not. */
export function isInvitationLink(text: string): boolean {
  return text.trimStart().startsWith(SCHEME) && text.includes(PATH)
}

/** The invitation, or undefined unless the text is one, apart from blanks and line breaks of a terminal [W-46]. */
export function parseInvitationLink(text: string): InvitationLink | undefined {
  const spelled = text.replaceAll(/\s/g, "")
  const [hostPort = "", fragment = "", ...more] = spelled.slice(SCHEME.length).split(PATH)
  const address = parseAddress(hostPort)
  const bytes = fromBase64url(fragment)
  if (address === undefined || bytes === undefined || more.length > 0) return undefined
  const link = decode(bytes, (reader) => ({
    address,
    proof: decodeProof(reader.bytes(PIN_BYTES)),
    invitation: reader.bytes(INVITATION_BYTES),
    ...readMembers(reader),
  }))
  return link !== undefined && formatInvitationLink(link) === spelled ? link : undefined
}
