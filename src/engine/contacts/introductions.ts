import { equal, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { decodeOpenBundle } from "../../session/bundle.ts"
import { MODE } from "../../session/handshake.ts"
import type { OpenBundleRecord } from "../../store/records.ts"
import type { IntroducedBy, IntroductionId, IntroductionRecord } from "../../store/introduction-record.ts"
import type { EngineState } from "../state/engine-state.ts"
import { isBelieved } from "../state/send-gate.ts"
import type { DeviceUpdate } from "../state/update.ts"
import type { ContactId } from "../../store/ids.ts"
import type { Introduction } from "../state/introduction-shapes.ts"
import { withoutReservedShape } from "../../wire/reserved-names.ts"
import { findAccount, fingerprintDigits, offeredName, PLACEHOLDER_DIGITS } from "./contacts.ts"
import { aboutContact } from "./describe.ts"
import { afterEvent, expiresAt, isQuestion, isSentTo, isUnderWay } from "./introduction-policy.ts"

/** Faults `not-found` unless a person here may still answer it, `exists` if they know the other by now. */
export function findQuestion(state: EngineState, id: IntroductionId, now: number): IntroductionRecord {
  const record = state.introductions.get(id)
  const known = record && record.role !== "introducer" ? findAccount(state, record.account) : undefined
  if (known !== undefined)
    throw new Fault("exists", `you know them already, as ${known.name}`, "mqttchat contacts")
  if (record !== undefined && isQuestion(record) && isUnderWay(record, now)) return record
  throw new Fault(
    "not-found",
    `no introduction with the number ${id} waits for you: it is over, or its introducer was forgotten`,
    "mqttchat introductions",
  )
}

/** The introduction for which we made this bundle, while its introducer is one whom we would still ask. */
export function introductionOfBundle(state: EngineState, bundle: Uint8Array): IntroductionRecord | undefined {
  for (const record of state.introductions.values()) {
    if (record.role !== "owner" || record.state !== "agreed" || !equal(record.bundle, bundle)) continue
    const introducer = state.contacts.get(record.contact)
    return introducer !== undefined && isBelieved(introducer) ? record : undefined
  }
  return undefined
}

/** Introductions of which the last step went to this contact, who has not answered it. */
export function stepsSentTo(state: EngineState, to: ContactId, now: number): IntroductionRecord[] {
  return [...state.introductions.values()].filter((record) => isSentTo(record, to) && isUnderWay(record, now))
}

/** The account is a contact now, through the introduction or in another way: what was under way for it is over [D-82]. */
export function noteMet(state: EngineState, update: DeviceUpdate, account: Uint8Array): void {
  for (const record of state.introductions.values()) {
    if (record.role === "introducer" || !equal(record.account, account)) continue
    const introduction = afterEvent(record, "we have met")
    if (introduction === undefined) continue
    update.changes.push({ kind: "introduction", introduction })
    for (const { tag, mailbox } of bundlesFor(state, record)) {
      update.changes.push({ kind: "close-bundle", tag })
      update.effects.push({ kind: "bundle-closed", mailbox })
    }
  }
}

/** The bundle that we made for it, if it is open. */
export function bundlesFor(
  { offers }: EngineState,
  { role, bundle }: IntroductionRecord,
): OpenBundleRecord[] {
  if (role !== "owner") return []
  return [...offers.values()].filter(({ mode, open }) => mode === MODE.introduction && isOf(open, bundle))
}

function isOf(open: Uint8Array, bundle: Uint8Array): boolean {
  const made = decodeOpenBundle(open)
  return made !== undefined && equal(made.bundle.bytes, bundle)
}

export function introducedBy(state: EngineState, record: IntroductionRecord): IntroducedBy | undefined {
  const introducer = state.contacts.get(record.contact)
  if (introducer?.accountId === undefined) return undefined
  return { account: introducer.accountId, name: introducer.name }
}

/** The introducer's name for an account, cleaned to one line: it is their words, and takes no name with a meaning here. */
export function introducedName(bytes: Uint8Array, account: Uint8Array): string {
  const name = withoutReservedShape(offeredName(bytes) ?? "")
  return name ?? `unnamed-${toHex(account).slice(0, PLACEHOLDER_DIGITS)}`
}

/** Undefined if its introducer was forgotten meanwhile. */
export function describeIntroduction(
  state: EngineState,
  record: IntroductionRecord,
): Introduction | undefined {
  const contact = state.contacts.get(record.contact)
  if (contact === undefined) return undefined
  return {
    id: record.id,
    ...aboutContact(contact),
    role: record.role,
    name: record.name,
    fingerprint: fingerprintDigits(record.account),
    state: record.state,
    isQuestion: isQuestion(record),
    expiresAt: expiresAt(record),
  }
}
