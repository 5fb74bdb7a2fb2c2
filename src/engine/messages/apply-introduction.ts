import { equal } from "../../crypto/bytes.ts"
import { readBundle, type Bundle } from "../../session/bundle.ts"
import type { IntroductionRecord } from "../../store/introduction-record.ts"
import type { DeviceRecord } from "../../store/records.ts"
import { encodeIdentity } from "../../wire/identity.ts"
import type { Frame } from "../../wire/frame.ts"
import { isOwnAccount } from "../contacts/accounts.ts"
import { findAccount, findConfusable } from "../contacts/contacts.ts"
import { findDevice } from "../contacts/devices.ts"
import { afterEvent, isExpired, mayAsk, surplus } from "../contacts/introduction-policy.ts"
import { describeIntroduction, introducedName } from "../contacts/introductions.ts"
import { shellCommand } from "../../shell-command.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import type { EngineState } from "../state/engine-state.ts"
import { wallSeconds, type DeviceUpdate } from "../state/update.ts"
import { DAY_S } from "../../time-units.ts"

type Of<Kind extends Frame["kind"]> = Extract<Frame, { kind: Kind }>
type Question = Pick<IntroductionRecord, "role" | "state" | "account" | "name" | "bundle">

const NO_BUNDLE = new Uint8Array(0)

/** No clock that is merely wrong is further ahead. */
const CLOCK_AHEAD_MAX_S = 400 * DAY_S

/** A contact would introduce someone to us: a person here is asked, unless they know that account [D-82]. */
export function applyIntroAsk(
  state: EngineState,
  update: DeviceUpdate,
  { account, name }: Of<"intro-ask">,
): void {
  if (isOwnAccount(state, account)) return
  const called = introducedName(name, account)
  ask(state, update, { role: "owner", state: "asked", account, name: called, bundle: NO_BUNDLE })
}

/** The owner has agreed to an introduction of ours: their bundle goes to the one whom we introduce. */
export function applyIntroYes(state: EngineState, update: DeviceUpdate, frame: Of<"intro-yes">): void {
  const { contact, device, input } = update
  const record = [...state.introductions.values()].find(
    (own) =>
      own.role === "introducer" &&
      own.contact === contact.id &&
      equal(own.account, frame.account) &&
      !isExpired(own, input.now),
  )
  const bundle = oneTimeBundle(frame.bundle, update)
  if (record === undefined || bundle === undefined) return
  if (!equal(encodeIdentity(bundle.owner), device.key)) return
  const introduction = afterEvent(record, "the owner agrees", { bundle: bundle.bytes })
  if (introduction === undefined) return
  update.changes.push({ kind: "introduction", introduction })
  update.effects.push({ kind: "introduce", id: record.id })
  addSystemMessage(update, `${contact.name} agrees to meet ${record.name}`)
}

/** A contact introduces someone to us, who has agreed: a person here is asked. */
export function applyIntro(
  state: EngineState,
  update: DeviceUpdate,
  { account, name, bundle: bytes }: Of<"intro">,
): void {
  const bundle = oneTimeBundle(bytes, update)
  if (bundle === undefined || isOwnAccount(state, account)) return
  const known = findDevice(state, encodeIdentity(bundle.owner))
  // Whose other devices are is known only when they answer.
  if (known !== undefined && !isOfAccount(state, known, account)) return
  const called = introducedName(name, account)
  ask(state, update, { role: "initiator", state: "introduced", account, name: called, bundle: bundle.bytes })
}

function isOfAccount(state: EngineState, { contact }: DeviceRecord, account: Uint8Array): boolean {
  const accountId = state.contacts.get(contact)?.accountId
  return accountId !== undefined && equal(accountId, account)
}

/** Whether it is over is judged when it is answered: our clock may be set right by then [D-108]. */
function oneTimeBundle(bytes: Uint8Array, { input }: DeviceUpdate): Bundle | undefined {
  const bundle = readBundle(bytes, wallSeconds(input) - CLOCK_AHEAD_MAX_S)
  return bundle === undefined || bundle.multiUse || bundle.recovery ? undefined : bundle
}

function ask(state: EngineState, update: DeviceUpdate, question: Question): void {
  const { contact, input } = update
  const known = introductionsAfter(state, update)
  if (!mayAsk(known, { contact: contact.id, account: question.account }, input.now)) return
  const other = findAccount(state, question.account)
  if (other?.blocked === true) return
  const introduction: IntroductionRecord = {
    ...question,
    id: nextId(state, update),
    state: other === undefined ? question.state : "answered",
    contact: contact.id,
    initiator: null,
    since: input.now,
  }
  const kept = known.filter(
    ({ role, contact: introducer }) => role !== "introducer" && introducer === contact.id,
  )
  update.changes.push(...surplus(kept, input.now))
  update.changes.push({ kind: "introduction", introduction })
  if (other !== undefined) {
    addSystemMessage(update, `${contact.name} would introduce ${other.name}, whom you know`)
    return
  }
  addSystemMessage(update, questionOf(state, introduction, contact.name))
  const described = describeIntroduction(state, introduction)
  if (described !== undefined)
    update.effects.push({ kind: "event", event: { kind: "introduction", introduction: described } })
}

function questionOf(state: EngineState, { id, role, name }: IntroductionRecord, introducer: string): string {
  const other = findConfusable(state, name, undefined)
  const who = other === undefined ? name : `${name} (not your contact ${other.name})`
  const how = shellCommand`mqttchat introductions accept ${String(id)}`
  const what = role === "owner" ? `asks whether you want to meet ${who}` : `introduces ${who} to you`
  return `${introducer} ${what}: ${how}, or refuse ${id}`
}

function introductionsAfter(state: EngineState, { changes }: DeviceUpdate): IntroductionRecord[] {
  const added = changes.flatMap((change) => (change.kind === "introduction" ? [change.introduction] : []))
  return [...state.introductions.values(), ...added]
}

function nextId(state: EngineState, update: DeviceUpdate): number {
  const ids = introductionsAfter(state, update).map(({ id }) => id)
  return Math.max(state.nextIntroduction - 1, ...ids) + 1
}
