import { Fault } from "../errors.ts"
import { formatAddress } from "../wire/address.ts"
import { parseInvitationLink } from "../wire/invitation-link.ts"
import type { Params, Results } from "./api.ts"
import { settleAt } from "./pairing/place.ts"
import type { Desk } from "./ports.ts"

/** Turns an invitation into a device certificate and comes online with it. Faults as `enroll`, and `bad-data`. */
export async function register(desk: Desk, wish: Params<"register">): Promise<Results["register"]> {
  const line = parseInvitationLink(wish.invitation)
  if (line === undefined) {
    throw new Fault("bad-data", "this is not a whole invitation", "copy all of it, in quotes")
  }
  const { address: door, invitation, proof, members } = line
  const access = { proof, entry: { kind: "invitation", invitation }, ...(members && { members }) } as const
  await settleAt(desk, door, access)
  const { home } = desk.ports
  const credential = home.credential()
  const broker = home.broker()?.address
  if (credential?.kind !== "device" || broker === undefined)
    throw new Fault("bug", "registered without a device")
  return { broker: formatAddress(broker), deviceId: credential.deviceId }
}
