import { equal, toBase64url } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { isPending } from "../../keystore/credential.ts"
import type { BrokerAddress, ConnectTarget } from "../../transport/transport.ts"
import type { Access, BrokerProof, Entry } from "../../wire/access.ts"
import { type Address, formatAddress } from "../../wire/address.ts"
import { decodeInvitation } from "../../wire/registration.ts"
import { ID_BYTES } from "../../wire/topics.ts"
import { openInboxConnection, NO_EVENTS } from "../connection/inbox-connection.ts"
import { pinMismatch } from "./faults.ts"
import type {
  BrokerConfig,
  PairingContext,
  Connection,
  ClosableConnection,
  NewCredential,
  Ports,
} from "../state/ports.ts"
import { guestAddressOf, isAddressOf, addressesFrom } from "../connection/broker-addresses.ts"

/** The profile's connection is up or nearly so when the user pairs; a broker that takes longer is away. */
const ONLINE_WITHIN_MS = 5_000
/** A registrar answers within some 20 ms; no event reports when the first connection of a new profile starts. */
const RECHECK_MS = 20

const UNPROVEN = { kind: "unproven" } as const

/** The broker at which an offer is answered. */
export type BrokerChoice =
  /** Over the profile's own connection: this profile is at that broker already. */
  | { readonly kind: "member"; readonly connection: Connection }
  /** Over a guest's connection, which proves nothing if the broker is new. The caller closes it. */
  | { readonly kind: "newcomer"; readonly connection: ClosableConnection; readonly address: BrokerAddress }

/** The profile's own connection, online. Faults `config` without a broker, `unavailable` when it does not come online. */
export async function ownConnection(context: PairingContext): Promise<Connection> {
  const connection = await firstConnection(context)
  const why = `${brokerName(context)} does not answer`
  const unavailable = new Fault("unavailable", why, "start the broker, then try again")
  await within(context.ports, ONLINE_WITHIN_MS, connection.online(), unavailable)
  return connection
}

/** A new profile may still be turning its invitation into a certificate, and has no connection before. */
async function firstConnection(context: PairingContext): Promise<Connection> {
  const { config, after } = context.ports
  for (let waited = 0; ; waited += RECHECK_MS) {
    try {
      return context.connection()
    } catch (fault) {
      const isComing = config.broker() !== undefined && config.credential() !== undefined
      if (!isComing || waited >= ONLINE_WITHIN_MS) throw fault
    }
    await new Promise<void>((resolve) => void after(RECHECK_MS, resolve))
  }
}

/** Our own connection if the broker at `at` is the profile's, otherwise a guest's connection to it. */
export async function chooseBroker(
  context: PairingContext,
  at: BrokerAddress | undefined,
): Promise<BrokerChoice> {
  const broker = context.ports.config.broker()
  if (broker !== undefined && (await isMember(context))) {
    if (at !== undefined && !(await leadsTo(context.ports, at, broker))) throw otherBroker(broker, at)
    return { kind: "member", connection: await ownConnection(context) }
  }
  const address = at ?? (broker && guestAddressOf(broker))
  if (address === undefined) {
    throw new Fault("usage", "the code does not name its broker", "mqttchat pair CODE@HOST")
  }
  const known = broker !== undefined && isAddressOf(broker, address)
  const trust = known ? broker.trust : UNPROVEN
  return { kind: "newcomer", connection: await dialGuest(context.ports, { address, trust }), address }
}

/** Makes the profile a member of the broker of a link or file, if it is not one already. */
export async function ensureMember(context: PairingContext, address: Address, access: Access): Promise<void> {
  const broker = context.ports.config.broker()
  if (broker === undefined || !(await isMember(context))) return joinWithAccess(context, address, access)
  if (!isSameBroker(broker, address, access.proof)) throw otherBroker(broker, address)
}

/** Registers with the broker that `access` describes and comes online there. Faults `refused` without an entry. */
export async function joinWithAccess(
  context: PairingContext,
  guestAddress: BrokerAddress,
  access: Access,
): Promise<void> {
  const { proof, entry } = access
  const credential = credentialFor(context.ports, entry)
  const registrar = entry.kind === "invitation" ? decodeInvitation(entry.invitation)?.registrar : undefined
  const addresses = addressesFrom(guestAddress, access)
  const broker = { ...addresses, trust: proof, ...(registrar === undefined ? {} : { registrar }) }
  await context.joinBroker(broker, credential)
}

/** Refuses a connection whose server showed no certificate with the pin of the grant [P-15]. */
export function checkPin(connection: Connection, proof: BrokerProof, name: string): void {
  if (proof.kind === "pin" && !connection.serverPins().some((pin) => equal(pin, proof.pin)))
    throw pinMismatch(name)
}

export function brokerName(context: PairingContext): string {
  const broker = context.ports.config.broker()
  return broker === undefined ? "the broker" : formatAddress(broker.address)
}

/** `promise`, or a rejection with `fault` after `ms`. */
export function within<T>(ports: Ports, ms: number, promise: Promise<T>, fault: Fault): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = ports.after(ms, () => reject(fault))
    promise.finally(cancel).then(resolve, reject)
  })
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
  const { trust } = broker
  if (trust.kind === "pin" && proof.kind === "pin") return equal(trust.pin, proof.pin)
  return isAddressOf(broker, at)
}

async function leadsTo(ports: Ports, at: BrokerAddress, broker: BrokerConfig): Promise<boolean> {
  if (isAddressOf(broker, at)) return true
  const { trust } = broker
  if (trust.kind === "name") return false
  const guest = await dialGuest(ports, { address: at, trust: UNPROVEN })
  const same = guest.serverPins().some((pin) => equal(pin, trust.pin))
  await guest.close()
  return same
}

/** A guest's connection, online. Rejects with the fault of the first try. */
function dialGuest(
  ports: Ports,
  broker: Pick<ConnectTarget, "address" | "trust">,
): Promise<ClosableConnection> {
  const target: ConnectTarget = { ...broker, credential: { kind: "guest" } }
  return new Promise((resolve, reject) => {
    let tried = false
    const connection = openInboxConnection(ports.connect, target, {
      ...NO_EVENTS,
      onState: (state) => {
        if (tried) return
        tried = true
        if (state.kind === "online") {
          resolve(connection)
          return
        }
        reject(state.why)
        void connection.close()
      },
    })
  })
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

function otherBroker(broker: BrokerConfig, at: BrokerAddress): Fault {
  return new Fault(
    "config",
    `this profile is at the broker ${formatAddress(broker.address)}, and ${formatAddress(at)} is another one`,
    "mqttchat --profile NAME pair",
  )
}
