import type { Access } from "../../wire/access.ts"
import { type Address, type Addresses, isSameAddress } from "../../wire/address.ts"
import type { Credential, ConnectTarget } from "../../transport/transport.ts"
import type { BrokerHome } from "../ports.ts"

type Places = Pick<BrokerHome, "address" | "others" | "guests">

/** Where members connect, the first first. */
export function nodesOf({ address, others = [] }: Places): Addresses {
  return [address, ...others]
}

/** Where a link goes, by what it shows there. */
export function waysFor(
  { address, others = [], guests }: Places,
  { kind }: Pick<Credential, "kind">,
): Pick<ConnectTarget, "address" | "others"> {
  return kind === "guest" && guests !== undefined ? { address: guests } : { address, others }
}

/** Where somebody without a certificate is sent. */
export function doorOf({ address, guests = address }: Places): Address {
  return guests
}

/** True for each address of the broker, the guests' too. */
export function isAddressOf(broker: Places, at: Address): boolean {
  return [...nodesOf(broker), doorOf(broker)].some((known) => isSameAddress(known, at))
}

/** What whoever was sent to the door must be told besides: where members connect, if that is not all there is. */
export function membersOf(broker: Places): Pick<Access, "members"> {
  const nodes = nodesOf(broker)
  return nodes.length === 1 && isSameAddress(nodes[0], doorOf(broker)) ? {} : { members: nodes }
}

/** The places of a broker that was entered at `door`. */
export function placesOf(door: Address, { members }: Pick<Access, "members">): Places {
  if (members === undefined) return { address: door }
  const [address, ...others] = members
  return {
    address,
    ...(others.length === 0 ? {} : { others }),
    ...(members.some((member) => isSameAddress(member, door)) ? {} : { guests: door }),
  }
}
