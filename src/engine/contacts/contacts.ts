import { toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { editDistanceWithin } from "../../pairing/edit-distance.ts"
import type { ContactId, ContactRecord } from "../../store/records.ts"
import { decodeIdentity, fingerprint } from "../../wire/identity.ts"
import { displayName, readText } from "../../wire/text.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { ContactReference } from "../state/shapes.ts"

/** What identifies a contact to a person: 20 hex digits. */
const FINGERPRINT_DIGITS = 20
const PLACEHOLDER_DIGITS = 8
/** One typing error in a short name, two in a longer one. */
const NEAR_DISTANCE = 2
const NEAR_NAMES_MAX = 3

/** The contact with this id, or with this name in any case. Faults `not-found`, with similar names. */
export function findContact(state: EngineState, reference: ContactReference): ContactRecord {
  return typeof reference === "number" ? findByGivenId(state, reference) : findByName(state, reference)
}

function findByGivenId(state: EngineState, id: ContactId): ContactRecord {
  const contact = state.contacts.get(id)
  if (contact !== undefined) return contact
  throw new Fault("not-found", `no contact has the id ${id}`, "mqttchat contacts")
}

function findByName(state: EngineState, name: string): ContactRecord {
  const wanted = folded(name)
  for (const contact of state.contacts.values()) if (folded(contact.name) === wanted) return contact
  const near = nearNames(state, wanted)
  const hint =
    near.length === 0 ? "mqttchat contacts" : `did you mean ${near.join(" or ")}? mqttchat contacts`
  throw new Fault("not-found", `no contact is called ${displayName(name)}`, hint)
}

/** Faults `not-found` if it was forgotten. */
export function findContactById(state: EngineState, id: ContactId): ContactRecord {
  const contact = state.contacts.get(id)
  if (contact !== undefined) return contact
  throw new Fault("not-found", "the contact was forgotten meanwhile", "mqttchat contacts")
}

export function findIdentity(state: EngineState, identity: Uint8Array): ContactRecord | undefined {
  const wanted = toHex(identity)
  for (const contact of state.contacts.values()) if (toHex(contact.identity) === wanted) return contact
  return undefined
}

/** Nothing may be sent to them: their new key has not been compared, or they send to another device of ours. */
export function isUnsendable(contact: ContactRecord): boolean {
  return isUncompared(contact) || contact.movedAt > 0
}

/** Another identity took over the name, and its key has not been compared yet. */
export function isUncompared({ changedAt, verified }: ContactRecord): boolean {
  return changedAt > 0 && !verified
}

/** `wanted`, or the first of wanted-2, wanted-3, ... that no other contact has. */
export function freeName(state: EngineState, wanted: string, owner: ContactId | undefined): string {
  const taken = new Set<string>()
  for (const contact of state.contacts.values()) {
    if (contact.id !== owner) taken.add(folded(contact.name))
  }
  let name = wanted
  for (let number = 2; taken.has(folded(name)); number++) name = `${wanted}-${number}`
  return name
}

/** A peer's name for itself, cleaned to one line; undefined if nothing of it is left. */
export function offeredName(bytes: Uint8Array): string | undefined {
  const text = readText(bytes)
  const name = text === undefined ? "" : displayName(text).trim()
  return name === "" ? undefined : name
}

/** A contact's name until its WELCOME brings one. */
export function placeholderName(identity: Uint8Array): string {
  return `unnamed-${fingerprintDigits(identity).slice(0, PLACEHOLDER_DIGITS)}`
}

/** Two names that fold to the same are one: the store keeps this unique. */
function folded(name: string): string {
  return name.normalize("NFKC").toLowerCase()
}

/** What identifies a contact to a person. */
export function fingerprintDigits(identity: Uint8Array): string {
  return toHex(fingerprint(decodeIdentity(identity))).slice(0, FINGERPRINT_DIGITS)
}

function nearNames(state: EngineState, wanted: string): string[] {
  return [...state.contacts.values()]
    .map(({ name }) => ({ name, away: editDistanceWithin(folded(name), wanted, NEAR_DISTANCE) ?? Infinity }))
    .filter(({ name, away }) => away < name.length)
    .sort((a, b) => a.away - b.away)
    .slice(0, NEAR_NAMES_MAX)
    .map(({ name }) => name)
}
