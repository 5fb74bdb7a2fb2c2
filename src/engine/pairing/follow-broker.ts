import { codeOf, Fault, PIN_MISMATCH } from "../../errors.ts"
import type { Access } from "../../wire/access.ts"
import { type Address, formatAddress } from "../../wire/address.ts"
import { movedTo } from "../connection/moved-broker.ts"
import type { BrokerConfig, PairingContext } from "../state/ports.ts"
import { notice } from "../state/events.ts"
import { whyUnproven } from "./dial-guest.ts"
import { otherBroker } from "./faults.ts"
import { isOnline } from "./own-connection.ts"

/** Where someone says that a broker is, and what else they say about its addresses. */
export type NamedAddress = { readonly at: Address; readonly access?: Pick<Access, "members"> }

/**
 * Our broker may have got another address: the pin identifies it. Once TLS has proved the pin there, and unless our own
 * connection is up, the new address takes the place of the old one. Faults `config` for another broker, and those of
 * the connection.
 */
export async function followBroker(
  context: PairingContext,
  broker: BrokerConfig,
  { at, access = {} }: NamedAddress,
): Promise<void> {
  const { trust } = broker
  if (trust.kind !== "pin") throw otherBroker(broker, at)
  const why = await whyUnproven(context.ports, at, trust)
  if (why !== undefined) throw codeOf(why.cause) === PIN_MISMATCH ? otherBroker(broker, at) : why
  if (await isOnline(context)) return
  const moved = movedTo(broker, at, access)
  await context.moveBroker(moved)
  context.emit(notice(`your broker is now at ${formatAddress(moved.address)}`))
}

/** The same with what a link or a file says, which may be older than what we know: nothing there is no fault. */
export async function followIfThere(
  context: PairingContext,
  broker: BrokerConfig,
  named: NamedAddress,
): Promise<void> {
  if (broker.trust.kind !== "pin" || (await isOnline(context))) return
  try {
    await followBroker(context, broker, named)
  } catch (fault) {
    if (!(fault instanceof Fault) || fault.code !== "unavailable") throw fault
  }
}
