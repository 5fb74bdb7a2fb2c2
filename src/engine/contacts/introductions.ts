import { equal, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { IntroducedBy, IntroductionId, IntroductionRecord } from "../../store/introduction-record.ts"
import type { Change } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { isBelieved } from "../state/send-gate.ts"
import type { ContactId } from "../../store/ids.ts"
import type { Introduction } from "../state/introduction-shapes.ts"
import { withoutReservedShape } from "../../wire/reserved-names.ts"
import { fingerprintDigits, offeredName, PLACEHOLDER_DIGITS } from "./contacts.ts"
import { aboutContact } from "./describe.ts"
import { afterEvent, expiresAt, isQuestion, isUnderWay } from "./introduction-policy.ts"

/** Faults `not-found` unless a person here may still answer it. */
export function findQuestion(state: EngineState, id: IntroductionId, now: number): IntroductionRecord {
  const record = state.introductions.get(id)
  if (record !== undefined && isQuestion(record) && isUnderWay(record, now)) return record
  throw new Fault(
    "not-found",
    `no introduction with the number ${id} waits for you`,
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

function isSentTo({ role, state, contact, initiator }: IntroductionRecord, to: ContactId): boolean {
  if (role === "introducer" && state === "introduced") return initiator === to
  const sent = role === "introducer" ? "asked" : "agreed"
  return role !== "initiator" && state === sent && contact === to
}

/** Its bundle was answered, and there is a contact now. */
export function answeredChange(record: IntroductionRecord): Change[] {
  const introduction = afterEvent(record, "the bundle is answered")
  return introduction === undefined ? [] : [{ kind: "introduction", introduction }]
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
