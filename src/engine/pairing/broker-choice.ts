import { equal, toBase64url } from "../../crypto/bytes.ts"
import { codeOf, ENDED_HANDSHAKE, Fault } from "../../errors.ts"
import { isPending } from "../../keystore/credential.ts"
import type { BrokerAddress, Trust } from "../../transport/transport.ts"
import type { Access, BrokerProof, Entry } from "../../wire/access.ts"
import type { Address } from "../../wire/address.ts"
import { decodeInvitation } from "../../wire/registration.ts"
import { ID_BYTES } from "../../wire/topics.ts"
import { dialGuest } from "./dial-guest.ts"
import { otherBroker, pinMismatch } from "./faults.ts"
import { followBroker, followIfThere } from "./follow-broker.ts"
import { ownConnection } from "./own-connection.ts"
import {
  checkKnownBroker,
  checkTransport,
  suggestInsecure,
  type TransportChoice,
} from "./transport-choice.ts"
import type {
  BrokerConfig,
  PairingContext,
  Connection,
  ClosableConnection,
  NewCredential,
  Ports,
} from "../state/ports.ts"
import { guestAddressOf, isAddressOf, addressesFrom } from "../connection/broker-addresses.ts"

const UNPROVEN = { kind: "unproven" } as const
const INSECURE = { kind: "insecure" } as const

/** The broker at which an offer is answered. */
export type BrokerChoice =
  /** Over the profile's own connection: this profile is at that broker already. */
  | { readonly kind: "member"; readonly connection: Connection }
  /** Over a guest's connection, which proves nothing if the broker is new. The caller closes it. */
  | { readonly kind: "newcomer"; readonly connection: ClosableConnection; readonly address: BrokerAddress }

/**
 * Our own connection if the broker at `at` is the profile's, otherwise a guest's connection to it: with TLS, unless the
 * user asked for one without.
 */
export async function chooseBroker(
  context: PairingContext,
  at: BrokerAddress | undefined,
  transport: TransportChoice,
): Promise<BrokerChoice> {
  const broker = context.ports.config.broker()
  checkKnownBroker(broker, transport)
  if (broker !== undefined && (await isMember(context))) {
    if (at !== undefined && !isAddressOf(broker, at)) await followBroker(context, broker, { at })
    return { kind: "member", connection: await ownConnection(context) }
  }
  const address = at ?? (broker && guestAddressOf(broker))
  if (address === undefined) {
    throw new Fault("usage", "the code does not name its broker", "mqttchat pair CODE@HOST")
  }
  const known = broker !== undefined && isAddressOf(broker, address)
  const trust = known ? broker.trust : trustOf(transport)
  return { kind: "newcomer", connection: await dialNewBroker(context.ports, { address, trust }), address }
}

/** What a broker that the profile does not know must prove. */
function trustOf({ insecure }: TransportChoice): Trust {
  return insecure ? INSECURE : UNPROVEN
}

/** The same as `dialGuest`, with advice for a broker that may have no TLS. */
async function dialNewBroker(
  ports: Ports,
  broker: { readonly address: BrokerAddress; readonly trust: Trust },
): Promise<ClosableConnection> {
  try {
    return await dialGuest(ports, broker)
  } catch (cause) {
    const isRefusal = cause instanceof Fault && codeOf(cause.cause) === ENDED_HANDSHAKE
    throw isRefusal ? suggestInsecure(cause) : cause
  }
}

/** Makes the profile a member of the broker of a link or file, if it is not one already. */
export async function ensureMember(
  context: PairingContext,
  { address, access }: { readonly address: Address; readonly access: Access },
  transport: TransportChoice,
): Promise<void> {
  const broker = context.ports.config.broker()
  checkKnownBroker(broker, transport)
  if (broker === undefined || !(await isMember(context))) {
    checkTransport(access.proof, transport)
    return joinWithAccess(context, address, access, transport.timeoutMs)
  }
  if (!isSameBroker(broker, address, access.proof)) throw otherBroker(broker, address)
  if (!isAddressOf(broker, address)) await followIfThere(context, broker, { at: address, access })
}

/** Registers with the broker that `access` describes and comes online there. Faults `refused` without an entry. */
export async function joinWithAccess(
  context: PairingContext,
  guestAddress: BrokerAddress,
  access: Access,
  limitMs?: number,
): Promise<void> {
  const { proof, entry } = access
  const credential = credentialFor(context.ports, entry)
  const registrar = entry.kind === "invitation" ? decodeInvitation(entry.invitation)?.registrar : undefined
  const addresses = addressesFrom(guestAddress, access)
  const broker = { ...addresses, trust: proof, ...(registrar === undefined ? {} : { registrar }) }
  await context.joinBroker({ broker, credential }, limitMs)
}

/** Refuses a connection whose server showed no certificate with the pin of the grant [P-15]. */
export function checkPin(connection: Connection, proof: BrokerProof, name: string): void {
  if (proof.kind === "pin" && !connection.serverPins().some((pin) => equal(pin, proof.pin)))
    throw pinMismatch(name)
}

/** True with a certificate or an account, or while the registrar is making a certificate. */
async function isMember(context: PairingContext): Promise<boolean> {
  const { config } = context.ports
  if (hasPendingCredential(context)) {
    try {
      await ownConnection(context)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
    }
  }
  return config.credential() !== undefined && !hasPendingCredential(context)
}

function hasPendingCredential({ ports }: PairingContext): boolean {
  const credential = ports.config.credential()
  return credential !== undefined && isPending(credential)
}

/** A broker may have several addresses; its key identifies it. */
function isSameBroker(broker: BrokerConfig, at: Address, proof: BrokerProof): boolean {
  if ((broker.trust.kind === "insecure") !== (proof.kind === "insecure")) return false
  const isPinned = broker.trust.kind === "pin" && proof.kind === "pin"
  return isPinned ? isPinnedAlike(broker, proof) : isAddressOf(broker, at)
}

export function isPinnedAlike({ trust }: BrokerConfig, proof: BrokerProof): boolean {
  return trust.kind === "pin" && proof.kind === "pin" && equal(trust.pin, proof.pin)
}

function credentialFor(ports: Ports, entry: Entry): NewCredential {
  switch (entry.kind) {
    case "invitation":
      return { kind: "invitation", bytes: entry.invitation }
    case "account": {
      const { username, password } = entry
      return {
        kind: "account",
        deviceId: toBase64url(ports.random(ID_BYTES)),
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password }),
      }
    }
    case "none":
      throw new Fault(
        "refused",
        "the other side may not invite to its broker; no contact was saved",
        "ask the person who runs the broker for access, then: mqttchat init",
      )
  }
}
