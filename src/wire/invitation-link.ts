import {
  encodeMembers,
  encodeProof,
  INVITATION_BYTES,
  readMembers,
  readProof,
  type TlsProof,
} from "./access.ts"
import type { Address, Addresses } from "./address.ts"
import { type Reader, Writer } from "./codec.ts"
import { formatLink, isLink, parseLink } from "./link-text.ts"

const PATH = "/join#"

/** An invitation with the address of its broker: all that a newcomer needs. */
export type InvitationLink = {
  readonly address: Address
  readonly proof: TlsProof
  /** 72 bytes. */
  readonly invitation: Uint8Array
  /** Where members connect, if it is not at `address`. */
  readonly members?: Addresses
}

/** `mqttchat://HOST[:PORT]/join#` and base64url of proof, invitation 72 and perhaps the members' addresses [W-46]. */
export function formatInvitationLink({ address, proof, invitation, members }: InvitationLink): string {
  const bytes = new Writer().bytes(encodeProof(proof)).bytes(invitation).bytes(encodeMembers(members)).done()
  return formatLink(address, PATH, bytes)
}

/** True for text that is meant as an invitation, complete or not. */
export function isInvitationLink(text: string): boolean {
  return isLink(text, PATH)
}

/** The invitation, or undefined unless the text is one, apart from blanks and line breaks of a terminal [W-46]. */
export function parseInvitationLink(text: string): InvitationLink | undefined {
  return parseLink(text, PATH, readInvitationLink, formatInvitationLink)
}

function readInvitationLink(reader: Reader, address: Address): InvitationLink | undefined {
  const proof = readProof(reader)
  if (proof.kind === "insecure") return undefined
  const invitation = reader.bytes(INVITATION_BYTES)
  return { address, proof, invitation, ...readMembers(reader) }
}
