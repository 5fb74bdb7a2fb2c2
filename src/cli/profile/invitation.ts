import { existsSync } from "node:fs"
import { Fault } from "../../errors.ts"
import { decodeInvitation } from "../../wire/registration.ts"
import { type InvitationLink, isInvitationLink, parseInvitationLink } from "../../wire/invitation-link.ts"
import { readSmallText, readStdinText } from "../terminal/input.ts"

/** A line of about 130 characters, or an email with it. */
const INVITATION_BYTES_MAX = 65_536

/** Reads an invitation: the line itself, the name of a file with it, or `-` for stdin. Returns other text unchanged. */
export async function readInvitationText(typed: string): Promise<string> {
  if (typed === "-") return await readStdinText(INVITATION_BYTES_MAX)
  return existsSync(typed) ? readSmallText(typed, INVITATION_BYTES_MAX) : typed
}

/**
 * Undefined for what is not an invitation. Faults `bad-data` for one that is cut off, `refused` for an expired one, unless
 * it leads back to our own broker: its address is still good.
 */
export function readInvitation(
  text: string,
  leadsBack: (line: InvitationLink) => boolean = () => false,
): InvitationLink | undefined {
  if (!isInvitationLink(text)) return undefined
  const line = parseInvitationLink(text)
  const invitation = line && decodeInvitation(line.invitation)
  if (line === undefined || invitation === undefined) {
    throw new Fault("bad-data", "this invitation is cut off or changed", "copy all of it, in quotes")
  }
  if (invitation.expiresAt * 1000 > Date.now() || leadsBack(line)) return line
  throw new Fault(
    "refused",
    "this invitation has expired",
    "ask the person who runs the broker for a new one",
  )
}
