import { equal, toBase64url } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { isPending, type StoredCredential } from "../../keystore/credential.ts"
import type { BrokerAddress, ConnectTarget } from "../../transport/transport.ts"
import type { Access, BrokerProof, Entry } from "../../wire/access.ts"
import { type Address, formatAddress } from "../../wire/address.ts"
import { decodeInvitation } from "../../wire/registration.ts"
import { ID_BYTES } from "../../wire/topics.ts"
import { openLine, UNHEARD } from "../line.ts"
import { strangerInThePath } from "./faults.ts"
import type { BrokerHome, Desk, Line, OwnLine, Ports } from "../ports.ts"
import { doorOf, isAddressOf, placesOf } from "../contacts/whereabouts.ts"

/** The profile's link is up or nearly so when somebody pairs; a broker that takes longer is away. */
const ONLINE_WITHIN_MS = 5_000
/** A registrar answers within some 20 ms; nothing tells when the first link of a fresh profile begins. */
const LOOK_AGAIN_MS = 20

const UNPROVEN = { kind: "unproven" } as const

/** Where an offer is answered. */
export type Place =
  /** Over the profile's own link: this profile is at that broker already. */
  | { readonly kind: "member"; readonly line: Line }
  /** Over a guest's link, which proves nothing where the broker is new. The caller closes it. */
  | { readonly kind: "newcomer"; readonly line: OwnLine; readonly address: BrokerAddress }

/** The profile's own link, up. Faults `config` without a broker, `unavailable` when the link does not come up. */
export async function ownLine(desk: Desk): Promise<Line> {
  const line = await firstLine(desk)
  const why = `${brokerName(desk)} does not answer`
  const away = new Fault("unavailable", why, "start the broker, then try again")
  await within(desk.ports, ONLINE_WITHIN_MS, line.online(), away)
  return line
}

/** A fresh profile may still be turning its invitation into a certificate, and has no link before. */
async function firstLine(desk: Desk): Promise<Line> {
  const { home, after } = desk.ports
  for (let waited = 0; ; waited += LOOK_AGAIN_MS) {
    try {
      return desk.line()
    } catch (fault) {
      const isComing = home.broker() !== undefined && home.credential() !== undefined
      if (!isComing || waited >= ONLINE_WITHIN_MS) throw fault
    }
    await new Promise<void>((resolve) => void after(LOOK_AGAIN_MS, resolve))
  }
}

/** The own link where the broker at `at` is the profile's, otherwise a guest's link to it. */
export async function findPlace(desk: Desk, at: BrokerAddress | undefined): Promise<Place> {
  const broker = desk.ports.home.broker()
  if (broker !== undefined && (await isMember(desk))) {
    if (at !== undefined && !(await leadsTo(desk.ports, at, broker))) throw elsewhere(broker, at)
    return { kind: "member", line: await ownLine(desk) }
  }
  const address = at ?? (broker && doorOf(broker))
  if (address === undefined) {
    throw new Fault("usage", "the code does not say at which broker it is offered", "mqttchat pair CODE@HOST")
  }
  const known = broker !== undefined && isAddressOf(broker, address)
  const trust = known ? broker.trust : UNPROVEN
  return { kind: "newcomer", line: await dialGuest(desk.ports, { address, trust }), address }
}

/** Makes the profile a member of the broker of a link or file, where it is not one already. */
export async function enter(desk: Desk, address: Address, access: Access): Promise<void> {
  const broker = desk.ports.home.broker()
  if (broker === undefined || !(await isMember(desk))) return settleAt(desk, address, access)
  if (!samePlace(broker, address, access.proof)) throw elsewhere(broker, address)
}

/** Registers with the broker that `access` describes and comes online there. Faults `refused` without an entry. */
export async function settleAt(desk: Desk, door: BrokerAddress, access: Access): Promise<void> {
  const { proof, entry } = access
  const credential = credentialFor(desk.ports, entry)
  const registrar = entry.kind === "invitation" ? decodeInvitation(entry.invitation)?.registrar : undefined
  const places = placesOf(door, access)
  const broker = { ...places, trust: proof, ...(registrar === undefined ? {} : { registrar }) }
  await desk.moveIn(broker, credential)
}

/** Refuses a line whose server showed no certificate with the pin of the grant [P-15]. */
export function checkPin(line: Line, proof: BrokerProof, place: string): void {
  if (proof.kind === "pin" && !line.serverPins().some((pin) => equal(pin, proof.pin)))
    throw strangerInThePath(place)
}

export function brokerName(desk: Desk): string {
  const broker = desk.ports.home.broker()
  return broker === undefined ? "the broker" : formatAddress(broker.address)
}

/** `promise`, or a rejection with `fault` after `ms`. */
export function within<T>(ports: Ports, ms: number, promise: Promise<T>, fault: Fault): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = ports.after(ms, () => reject(fault))
    promise.finally(cancel).then(resolve, reject)
  })
}

/** True with a certificate or an account, also while the registrar is just making one. */
async function isMember(desk: Desk): Promise<boolean> {
  const { home } = desk.ports
  if (hasTicket(desk)) {
    try {
      await ownLine(desk)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
    }
  }
  return home.credential() !== undefined && !hasTicket(desk)
}

function hasTicket({ ports }: Desk): boolean {
  const credential = ports.home.credential()
  return credential !== undefined && isPending(credential)
}

/** One broker may have several addresses; what counts is the key it shows. */
function samePlace(broker: BrokerHome, at: Address, proof: BrokerProof): boolean {
  const { trust } = broker
  if (trust.kind === "pin" && proof.kind === "pin") return equal(trust.pin, proof.pin)
  return isAddressOf(broker, at)
}

async function leadsTo(ports: Ports, at: BrokerAddress, broker: BrokerHome): Promise<boolean> {
  if (isAddressOf(broker, at)) return true
  const { trust } = broker
  if (trust.kind === "name") return false
  const guest = await dialGuest(ports, { address: at, trust: UNPROVEN })
  const same = guest.serverPins().some((pin) => equal(pin, trust.pin))
  await guest.close()
  return same
}

/** A guest's link, up. Rejects with what went wrong at the first try. */
function dialGuest(ports: Ports, place: Pick<ConnectTarget, "address" | "trust">): Promise<OwnLine> {
  const target: ConnectTarget = { ...place, credential: { kind: "guest" } }
  return new Promise((resolve, reject) => {
    let tried = false
    const line = openLine(ports.connect, target, {
      ...UNHEARD,
      onState: (state) => {
        if (tried) return
        tried = true
        if (state.kind === "online") {
          resolve(line)
          return
        }
        reject(state.why)
        void line.close()
      },
    })
  })
}

function credentialFor(ports: Ports, entry: Entry): StoredCredential {
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
        "the other side may not let newcomers in at its broker; no contact was saved",
        "ask the person who runs the broker for access, then: mqttchat init",
      )
  }
}

function elsewhere(broker: BrokerHome, at: BrokerAddress): Fault {
  return new Fault(
    "config",
    `this profile is at the broker ${formatAddress(broker.address)}, and ${formatAddress(at)} is another one`,
    "mqttchat --profile NAME pair",
  )
}
