import { equal } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { Access } from "../../wire/access.ts"
import { type Address, type Addresses, isSameAddress } from "../../wire/address.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import type { BrokerConfig, NewCredential } from "../state/ports.ts"
import { addressesFrom, addressesOf, guestAddressOf } from "./broker-addresses.ts"

/**
 * The same broker, which is now found at `guestAddress`: of a broker with one door for guests and another for members
 * only the first is named, and the other is on the same machine. Its further names and nodes stay.
 */
export function movedTo(
  broker: BrokerConfig,
  guestAddress: Address,
  { members }: Pick<Access, "members">,
): BrokerConfig {
  const { address, guests, others = [], ...rest } = broker
  if (members !== undefined) return { ...rest, ...addressesFrom(guestAddress, { members }) }
  const moved = guests === undefined ? guestAddress : { host: guestAddress.host, port: address.port }
  const further = others.filter((other) => !isSameAddress(other, moved))
  return {
    ...rest,
    address: moved,
    ...(further.length === 0 ? {} : { others: further }),
    ...(guests === undefined ? {} : { guests: guestAddress }),
  }
}

/** Whether both are reached in the same way. */
export function isReachedAlike(a: BrokerConfig, b: BrokerConfig): boolean {
  const [ours, theirs] = [a, b].map((broker) => [...addressesOf(broker), guestAddressOf(broker)])
  return (
    ours?.length === theirs?.length &&
    ours?.every((address, at) => isSameAddress(address, theirs?.[at] ?? address)) === true
  )
}

/** The same in all that identifies the broker and leads to it. */
export function isSameBroker(a: BrokerConfig | undefined, b: BrokerConfig): boolean {
  return a !== undefined && isTrustedAlike(a.trust, b.trust) && isReachedAlike(a, b)
}

function isTrustedAlike(a: BrokerConfig["trust"], b: BrokerConfig["trust"]): boolean {
  return a.kind === "pin" && b.kind === "pin" ? equal(a.pin, b.pin) : a.kind === b.kind
}

/** What the user has set: where the broker is, and how it proves itself. */
type ChosenBroker = Pick<BrokerConfig, "address" | "others" | "trust">

/**
 * Whether what the user has set is still the broker `known`. Its pin says so; a publicly trusted certificate proves no
 * more than a name, so a broker that is trusted by name has to keep one of its names.
 */
export function isStillBroker(known: BrokerConfig, chosen: ChosenBroker): boolean {
  if (!isTrustedAlike(known.trust, chosen.trust)) return false
  return known.trust.kind !== "name" || sharesHost(known, chosen)
}

/**
 * Whether the account of `known` may be shown to the broker that the user has set: the same one, or one of its hosts
 * with a pin from now on.
 */
export function keepsAccount(known: BrokerConfig, chosen: ChosenBroker): boolean {
  const getsPin = known.trust.kind !== "pin" && chosen.trust.kind === "pin" && sharesHost(known, chosen)
  return getsPin || isStillBroker(known, chosen)
}

/**
 * Whether an invitation of our own user leads to our broker: it has the pin that we know, or where one side has no pin,
 * hosts that we know.
 */
export function leadsToOwn(known: BrokerConfig, invited: BrokerConfig): boolean {
  if (known.trust.kind === "pin" && invited.trust.kind === "pin")
    return isTrustedAlike(known.trust, invited.trust)
  const hosts = hostsOf(known)
  return [...hostsOf(invited)].every((host) => hosts.has(host))
}

function hostsOf(broker: BrokerConfig): ReadonlySet<string> {
  return new Set([...addressesOf(broker), guestAddressOf(broker)].map(({ host }) => host))
}

function sharesHost(known: BrokerConfig, chosen: ChosenBroker): boolean {
  const hosts = hostsOf(known)
  return addressesOf(chosen).some(({ host }) => hosts.has(host))
}

/**
 * The broker that the user has set. If it is still the same one, what else is known of it stays: its registrar, and the
 * door for guests, which is on the same machine.
 */
export function withAddresses(
  known: BrokerConfig | undefined,
  [address, ...others]: Addresses,
  trust: BrokerConfig["trust"],
): BrokerConfig {
  const nodes = { address, ...(others.length === 0 ? {} : { others }) }
  if (known === undefined || !isStillBroker(known, { ...nodes, trust })) return { ...nodes, trust }
  const { guests, registrar, mqttVersion } = known
  return {
    ...nodes,
    trust: known.trust,
    ...(guests === undefined ? {} : { guests: guestsAt(guests, known.address, address) }),
    ...(registrar === undefined ? {} : { registrar }),
    ...(mqttVersion === undefined ? {} : { mqttVersion }),
  }
}

function guestsAt(guests: Address, before: Address, now: Address): Address {
  return guests.host === before.host ? { ...guests, host: now.host } : guests
}

type Account = { readonly username?: string; readonly password?: string }

/** What takes the place of an account that the next broker is not to see; undefined if there is none. */
export function withoutAccount(known: StoredCredential | undefined): NewCredential | undefined {
  return known?.kind === "account" ? { kind: "account", deviceId: known.deviceId } : undefined
}

/**
 * The account to save with the broker, if one is to be saved: a profile without a credential gets one, as a broker
 * without a registrar wants it. A device keeps its certificate: fault `config` for an account next to it.
 */
export function accountFor(
  known: StoredCredential | undefined,
  { username, password }: Account,
  newDeviceId: () => string,
): Extract<NewCredential, { kind: "account" }> | undefined {
  if (known !== undefined && username === undefined) return undefined
  if (known !== undefined && known.kind !== "account") {
    const message = "this profile is registered at its broker, and needs no account"
    throw new Fault("config", message, "mqttchat register INVITATION, at a new broker")
  }
  return {
    kind: "account",
    deviceId: known?.deviceId ?? newDeviceId(),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  }
}
