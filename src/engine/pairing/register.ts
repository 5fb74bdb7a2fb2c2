import { Fault } from "../../errors.ts"
import { formatAddress } from "../../wire/address.ts"
import { parseInvitationLink } from "../../wire/invitation-link.ts"
import type { Params, Results } from "../state/commands.ts"
import { joinWithAccess } from "./broker-choice.ts"
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
  await joinWithAccess(context, guestAddress, access)
  const { config } = context.ports
  const credential = config.credential()
  const broker = config.broker()?.address
  if (credential?.kind !== "device" || broker === undefined)
    throw new Fault("bug", "registered without a device")
  return { broker: formatAddress(broker), deviceId: credential.deviceId }
}
