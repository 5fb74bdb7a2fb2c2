import { Fault } from "../../errors.ts"
import type { Access } from "../../wire/access.ts"
import { type Address, formatAddress } from "../../wire/address.ts"
import { parseInvitationLink } from "../../wire/invitation-link.ts"
import type { Params, Results } from "../state/commands.ts"
import { isAddressOf } from "../connection/broker-addresses.ts"
import { isPinnedAlike, joinWithAccess } from "./broker-choice.ts"
import { followBroker } from "./follow-broker.ts"
import { isOnline, ONLINE_WITHIN_MS } from "./own-connection.ts"
import type { PairingContext } from "../state/ports.ts"

/** Turns an invitation into a device certificate and comes online with it. Faults as `enroll`, and `bad-data`. */
export async function register(
  context: PairingContext,
  params: Params<"register">,
): Promise<Results["register"]> {
  const parsed = parseInvitationLink(params.invitation)
  if (parsed === undefined) {
    throw new Fault("bad-data", "this invitation is incomplete", "copy all of it, in quotes")
  }
  const { address: guestAddress, invitation, proof, members } = parsed
  const access = { proof, entry: { kind: "invitation", invitation }, ...(members && { members }) } as const
  const isUsed = !(await leadsBack(context, guestAddress, access))
  if (isUsed) await joinWithAccess(context, guestAddress, access, params.timeoutMs)
  const { config } = context.ports
  const credential = config.credential()
  const broker = config.broker()?.address
  if (credential?.kind !== "device" || broker === undefined)
    throw new Fault("bug", "registered without a device")
  return { broker: formatAddress(broker), deviceId: credential.deviceId, invitationUsed: isUsed }
}

/**
 * Whether the invitation only names another address of our own broker, and our certificate is good there: the invitation
 * is then left for someone who needs it.
 */
async function leadsBack(context: PairingContext, at: Address, access: Access): Promise<boolean> {
  const { config } = context.ports
  const broker = config.broker()
  if (broker === undefined || config.credential()?.kind !== "device") return false
  if (!isPinnedAlike(broker, access.proof) || isAddressOf(broker, at)) return false
  await followBroker(context, broker, { at, access })
  return isOnline(context, ONLINE_WITHIN_MS)
}
