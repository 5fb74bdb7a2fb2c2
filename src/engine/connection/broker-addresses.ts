import type { Access } from "../../wire/access.ts"
import { type Address, type Addresses, isSameAddress } from "../../wire/address.ts"
import type { Credential, ConnectTarget } from "../../transport/transport.ts"
import type { BrokerConfig } from "../state/ports.ts"

type BrokerAddresses = Pick<BrokerConfig, "address" | "others" | "guests">

/** Where members connect, the first first. */
export function addressesOf({ address, others = [] }: BrokerAddresses): Addresses {
  return [address, ...others]
}

/** Where a link goes, by what it shows there. */
export function routesFor(
  { address, others = [], guests }: BrokerAddresses,
  { kind }: Pick<Credential, "kind">,
): Pick<ConnectTarget, "address" | "others"> {
  return kind === "guest" && guests !== undefined ? { address: guests } : { address, others }
}

/** Where somebody without a certificate is sent. */
export function guestAddressOf({ address, guests = address }: BrokerAddresses): Address {
  return guests
}

/** True for each address of the broker, the guests' too. */
export function isAddressOf(broker: BrokerAddresses, at: Address): boolean {
  return [...addressesOf(broker), guestAddressOf(broker)].some((known) => isSameAddress(known, at))
}

/** What whoever was sent to the door must be told besides: where members connect, if that is not all there is. */
export function membersOf(broker: BrokerAddresses): Pick<Access, "members"> {
  const addresses = addressesOf(broker)
  return addresses.length === 1 && isSameAddress(addresses[0], guestAddressOf(broker))
    ? {}
    : { members: addresses }
}

/** The places of a broker that was entered at `door`. */
export function addressesFrom(guestAddress: Address, { members }: Pick<Access, "members">): BrokerAddresses {
  if (members === undefined) return { address: guestAddress }
  const [address, ...others] = members
  return {
    address,
    ...(others.length === 0 ? {} : { others }),
    ...(members.some((member) => isSameAddress(member, guestAddress)) ? {} : { guests: guestAddress }),
  }
}
