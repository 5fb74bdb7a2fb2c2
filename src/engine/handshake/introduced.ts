import { equal } from "../../crypto/bytes.ts"
import { makeBundle, type Bundle, type OpenBundle } from "../../session/bundle.ts"
import { introductionPsk, MODE, type Mode } from "../../session/handshake.ts"
import type { Psk } from "../../crypto/bytes.ts"
import type { IntroductionRecord } from "../../store/introduction-record.ts"
import type { IdentityKeys } from "../../wire/identity.ts"
import type { Inbox } from "../../wire/topics.ts"
import { OFFER_LIFE_S } from "./bundles.ts"
import type { Judged } from "../accounts/judge-shown.ts"
import { ownChain } from "../accounts/own-account.ts"
import { accountIdOf } from "../contacts/accounts.ts"
import { findContactById } from "../contacts/contacts.ts"
import { answeredChange, introducedBy } from "../contacts/introductions.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import type { EngineState } from "../state/engine-state.ts"
import { seconds, type DeviceUpdate, type StepInput } from "../state/update.ts"
import { shellCommand } from "../../shell-command.ts"

/** A bundle that only the account which is introduced to us can answer. */
export function introductionBundle(identity: IdentityKeys, inbox: Inbox, input: StepInput): OpenBundle {
  const notAfter = seconds(input) + OFFER_LIFE_S
  return makeBundle(identity, { multiUse: false, recovery: false, inbox, notAfter }, input.random)
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

/**
 * Whether an INIT comes from the account that was named, and shows all links of it; without an introduction it answers
 * nothing [D-83].
 */
export function isIntroduced(
  record: IntroductionRecord | undefined,
  { membership, shown }: Extract<Judged, { kind: "judged" }>,
): boolean {
  return record !== undefined && membership.kind === "admitted" && equal(record.account, shown.accountId)
}

/** The handshake has made the contact: who introduced them, and that this proves nothing. */
export function noteIntroduction(
  state: EngineState,
  update: DeviceUpdate,
  record: IntroductionRecord | undefined,
): void {
  if (record === undefined) return
  update.changes.push(...answeredChange(record))
  const by = introducedBy(state, record)
  if (by === undefined || state.contacts.has(update.contact.id)) return
  update.contact = { ...update.contact, introducedBy: by }
  const { name } = update.contact
  const how = shellCommand`mqttchat verify ${name}`
  addSystemMessage(update, `introduced by ${by.name}, whose word it is that this is ${name}; compare: ${how}`)
}
