import { toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { editDistanceWithin } from "../../pairing/edit-distance.ts"
import type { ContactRecord } from "../../store/records.ts"
import { fingerprint } from "../../wire/identity.ts"
import { isConfusable, withoutReservedShape } from "../../wire/reserved-names.ts"
import { TakenNames } from "../../wire/taken-names.ts"
import { displayName, readText } from "../../wire/text.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { ContactReference } from "../state/shapes.ts"
import { shellWord } from "../../shell-command.ts"
import type { ContactId } from "../../store/ids.ts"

/** What identifies a contact to a person: 20 hex digits. */
const FINGERPRINT_DIGITS = 20
export const PLACEHOLDER_DIGITS = 8
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
    near.length === 0
      ? "mqttchat contacts"
      : `did you mean ${near.map(shellWord).join(" or ")}? mqttchat contacts`
  throw new Fault("not-found", `no contact is called ${displayName(name)}`, hint)
}

/** Faults `not-found` if it was forgotten. */
export function findContactById(state: EngineState, id: ContactId): ContactRecord {
  const contact = state.contacts.get(id)
  if (contact !== undefined) return contact
  throw new Fault("not-found", "the contact was forgotten meanwhile", "mqttchat contacts")
}

/** The contact whose account this is; undefined while its chain is not verified. */
export function findAccount(state: EngineState, accountId: Uint8Array): ContactRecord | undefined {
  const wanted = toHex(accountId)
  for (const contact of state.contacts.values())
    if (contact.accountId !== undefined && toHex(contact.accountId) === wanted) return contact
  return undefined
}

/** `wanted`, or with the first number behind it that makes it unlike the names of all other contacts [W-83] [W-84]. */
export function freeName(state: EngineState, wanted: string, owner: ContactId | undefined): string {
  return new TakenNames(others(state, owner).map(({ name }) => name)).free(wanted)
}

/** The name that the user chose for a contact, with a number if it looks like another contact's. */
export function chosenName(state: EngineState, chosen: string, owner: ContactId): string {
  const taken = new TakenNames(others(state, owner).map(({ name }) => name))
  return taken.has(chosen) ? taken.numbered(chosen) : chosen
}

/** The contact that a name which was numbered looks like; undefined if it was numbered as a reserved one. */
export function findConfusable(
  state: EngineState,
  wanted: string,
  owner: ContactId | undefined,
): ContactRecord | undefined {
  return others(state, owner).find(({ name }) => isConfusable(name, wanted))
}

/** Whether another contact has this very name, in any case of letters. */
export function isTaken(state: EngineState, wanted: string, owner: ContactId): boolean {
  return others(state, owner).some(({ name }) => folded(name) === folded(wanted))
}

function others(state: EngineState, owner: ContactId | undefined): ContactRecord[] {
  return [...state.contacts.values()].filter(({ id }) => id !== owner)
}

/** A peer's name for itself, cleaned to one line; undefined if nothing of it is seen. */
export function offeredName(bytes: Uint8Array): string | undefined {
  const text = readText(bytes)
  if (text === undefined) return undefined
  const name = displayName(text).trim()
  return withoutReservedShape(name) === undefined ? undefined : name
}

/** A contact's name until its WELCOME brings one. */
export function placeholderName(key: Uint8Array): string {
  return `unnamed-${fingerprintDigits(key).slice(0, PLACEHOLDER_DIGITS)}`
}

/** Two names that fold to the same are one: the store keeps this unique. */
function folded(name: string): string {
  return name.normalize("NFKC").toLowerCase()
}

/** What identifies an account id, or a device's key, to a person. */
export function fingerprintDigits(id: Uint8Array): string {
  return toHex(fingerprint(id)).slice(0, FINGERPRINT_DIGITS)
}

function nearNames(state: EngineState, wanted: string): string[] {
  return [...state.contacts.values()]
    .map(({ name }) => ({ name, away: editDistanceWithin(folded(name), wanted, NEAR_DISTANCE) ?? Infinity }))
    .filter(({ name, away }) => away < name.length)
    .sort((a, b) => a.away - b.away)
    .slice(0, NEAR_NAMES_MAX)
    .map(({ name }) => name)
}
