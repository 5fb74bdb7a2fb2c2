import { equal } from "../../crypto/bytes.ts"
import { makeBundle, type Bundle, type OpenBundle } from "../../session/bundle.ts"
import { introductionPsk, MODE, type Mode } from "../../session/handshake.ts"
import type { Psk } from "../../crypto/bytes.ts"
import type { IntroductionId, IntroductionRecord } from "../../store/introduction-record.ts"
import type { IdentityKeys } from "../../wire/identity.ts"
import type { Inbox } from "../../wire/topics.ts"
import { OFFER_LIFE_S } from "./bundles.ts"
import type { Judged } from "../accounts/judge-shown.ts"
import { ownChain } from "../accounts/own-account.ts"
import { accountIdOf } from "../contacts/accounts.ts"
import { findContactById } from "../contacts/contacts.ts"
import { devicesOf } from "../contacts/devices.ts"
import { afterEvent } from "../contacts/introduction-policy.ts"
import { findQuestion, introducedBy } from "../contacts/introductions.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import type { Change } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { refuseUnsendable } from "../state/send-gate.ts"
import { refuseReplaced } from "../connection/replaced-device.ts"
import { wallSeconds, type DeviceUpdate, type StepInput } from "../state/update.ts"
import { shellCommand } from "../../shell-command.ts"

/** A bundle that only the account which is introduced to us can answer. */
export function introductionBundle(identity: IdentityKeys, inbox: Inbox, input: StepInput): OpenBundle {
  const notAfter = wallSeconds(input) + OFFER_LIFE_S
  return makeBundle(identity, { multiUse: false, recovery: false, inbox, notAfter }, input.random)
}

/** A question that may be answered now. Faults as `findQuestion`, and `refused` if its introducer is one whom we would not believe. */
export function findAnswerable(state: EngineState, id: IntroductionId, now: number): IntroductionRecord {
  const record = findQuestion(state, id, now)
  const introducer = findContactById(state, record.contact)
  refuseReplaced(state)
  refuseUnsendable(introducer, devicesOf(state, introducer.id))
  return record
}

/** Its bundle is answered. */
export function answeredChange(record: IntroductionRecord): Change[] {
  const introduction = afterEvent(record, "the bundle is answered")
  return introduction === undefined ? [] : [{ kind: "introduction", introduction }]
}

/** How the initiator's INIT is authenticated; both sides name the same three accounts [S-4]. */
export function introductionSecret(
  state: EngineState,
  record: IntroductionRecord,
  { hash }: Bundle,
): { readonly mode: Mode; readonly psk: Psk } {
  const introducer = accountIdOf(findContactById(state, record.contact))
  const [us, them] = [ownChain(state).accountId, record.account]
  const [initiator, owner] = record.role === "initiator" ? [us, them] : [them, us]
  return { mode: MODE.introduction, psk: introductionPsk(hash, { introducer, initiator, owner }) }
}

/** Whether an INIT says that it comes from the account that was named; without an introduction it answers nothing [D-83]. */
export function isIntroduced(
  record: IntroductionRecord | undefined,
  { shown }: Extract<Judged, { kind: "judged" }>,
): boolean {
  return record !== undefined && equal(record.account, shown.accountId)
}

/** The handshake has made the contact: who introduced them, and that this proves nothing. */
export function noteIntroduction(
  state: EngineState,
  update: DeviceUpdate,
  record: IntroductionRecord | undefined,
): void {
  if (record === undefined) return
  const by = introducedBy(state, record)
  if (by === undefined || state.contacts.has(update.contact.id)) return
  update.contact = { ...update.contact, introducedBy: by }
  const { name } = update.contact
  const how = shellCommand`mqttchat verify ${name}`
  addSystemMessage(update, `introduced by ${by.name}, whose word it is that this is ${name}; compare: ${how}`)
}
