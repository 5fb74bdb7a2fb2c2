import type { Access } from "../../wire/access.ts"
import { type Address, type Addresses, isSameAddress } from "../../wire/address.ts"
import type { Credential, ConnectTarget } from "../../transport/transport.ts"
import type { BrokerConfig } from "../state/ports.ts"

type BrokerAddresses = Pick<BrokerConfig, "address" | "others" | "guests">

/** Where members connect, in the order in which they are tried. */
export function addressesOf({ address, others = [] }: BrokerAddresses): Addresses {
  return [address, ...others]
}

/** The address of a connection, by its credential. */
export function routesFor(
  { address, others = [], guests }: BrokerAddresses,
  { kind }: Pick<Credential, "kind">,
): Pick<ConnectTarget, "address" | "others"> {
  return kind === "guest" && guests !== undefined ? { address: guests } : { address, others }
}

/** Where a user without a certificate connects. */
export function guestAddressOf({ address, guests = address }: BrokerAddresses): Address {
  return guests
}

/** True for each address of the broker, that of guests included. */
export function isAddressOf(broker: BrokerAddresses, at: Address): boolean {
  return [...addressesOf(broker), guestAddressOf(broker)].some((known) => isSameAddress(known, at))
}

/** What a guest must learn: where members connect, if it is not where guests connect. */
export function membersOf(broker: BrokerAddresses): Pick<Access, "members"> {
  const addresses = addressesOf(broker)
  return addresses.length === 1 && isSameAddress(addresses[0], guestAddressOf(broker))
    ? {}
    : { members: addresses }
}

/** The addresses of a broker whose guests connect to `guestAddress`. */
export function addressesFrom(guestAddress: Address, { members }: Pick<Access, "members">): BrokerAddresses {
  if (members === undefined) return { address: guestAddress }
  const [address, ...others] = members
  return {
    address,
    ...(others.length === 0 ? {} : { others }),
    ...(members.some((member) => isSameAddress(member, guestAddress)) ? {} : { guests: guestAddress }),
  }
}
