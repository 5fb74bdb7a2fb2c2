import { Fault } from "../../errors.ts"
import { shellCommand } from "../../shell-command.ts"
import type { IntroductionId, IntroductionRecord } from "../../store/introduction-record.ts"
import type { ContactRecord } from "../../store/records.ts"
import type { Frame } from "../../wire/frame.ts"
import { accountIdOf } from "../contacts/accounts.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import { afterEvent, isExpired, isUnderWay, OWN_MAX, surplus } from "../contacts/introduction-policy.ts"
import { stepsSentTo } from "../contacts/introductions.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import { shortName } from "../handshake/hello.ts"
import { noChange, type Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { sealAndEnqueue, type SealResult } from "../state/outgoing.ts"
import { enqueueUnsealedSteps, hasUnsealedSteps } from "../state/unsealed.ts"
import { toJointDecision, updateEach } from "../state/each-device.ts"
import type { DeviceUpdate, StepInput } from "../state/update.ts"
import { sealWaitingEntry } from "./enqueue.ts"
import type { ContactId } from "../../store/ids.ts"

/** Asks `owner` whether `initiator` may be introduced. Faults `usage`, `exists`, `refused`, `unavailable`. */
export function decideIntroduction(
  state: EngineState,
  owner: ContactRecord,
  initiator: ContactRecord,
  input: StepInput,
): Decision<IntroductionRecord> {
  refuseRepeated(state, owner, initiator, input.now)
  const introduction: IntroductionRecord = {
    id: state.nextIntroduction,
    ...{ role: "introducer", state: "asked", contact: owner.id, initiator: initiator.id },
    ...{ account: accountIdOf(initiator), name: initiator.name },
    ...{ bundle: new Uint8Array(0), since: input.now },
  }
  const { updates, first } = sealForAll(state, owner.id, askFrame(introduction), input)
  if (first === undefined) throw notNow(owner)
  const own = [...state.introductions.values()].filter(({ role }) => role === "introducer")
  first.changes.push(...surplus(own, input.now), { kind: "introduction", introduction })
  addSystemMessage(first, `you asked ${owner.name} whether they want to meet ${initiator.name}`)
  return toJointDecision(state, updates, introduction)
}

/**
 * Seals a frame for all devices of a contact that may have it; what else the step does is added to the first of these. For
 * the others it waits.
 */
export function sealForAll(
  state: EngineState,
  to: ContactId,
  frame: Frame,
  input: StepInput,
): { readonly updates: readonly DeviceUpdate[]; readonly first: DeviceUpdate | undefined } {
  const reached = new Set<DeviceUpdate>()
  const updates = updateEach(state, to, input, (update) => {
    const { id } = update.device
    if (!isUnfinished(state, id) && sealEach(update, [frame]).kind === "posted") reached.add(update)
    else if (!hasUnsealedSteps(state, id)) enqueueUnsealedSteps(update)
  })
  return { updates, first: updates.find((update) => reached.has(update)) }
}

function refuseRepeated(
  state: EngineState,
  owner: ContactRecord,
  initiator: ContactRecord,
  now: number,
): void {
  if (owner.id === initiator.id) throw new Fault("usage", `${owner.name} cannot meet themselves`)
  const own = [...state.introductions.values()].filter(
    (record) => record.role === "introducer" && isUnderWay(record, now) && record.state !== "introduced",
  )
  const pair = [owner.id, initiator.id]
  if (own.some((record) => pair.includes(record.contact) && pair.includes(record.initiator ?? 0)))
    throw new Fault("exists", `${owner.name} was asked already`, "mqttchat introductions")
  if (own.length >= OWN_MAX)
    throw new Fault("refused", `${OWN_MAX} introductions wait for an answer`, "mqttchat introductions")
}

/** The owner has agreed: their bundle goes to the initiator, unless nothing may be sent there now. */
export function decidePassingOn(state: EngineState, id: IntroductionId, input: StepInput): Decision<null> {
  const record = state.introductions.get(id)
  const owner = record && state.contacts.get(record.contact)
  if (record?.role !== "introducer" || record.initiator === null || isExpired(record, input.now))
    return noChange(null)
  const introduction = afterEvent(record, "we tell the initiator")
  if (introduction === undefined || owner === undefined) return noChange(null)
  const { updates, first } = sealForAll(state, record.initiator, introFrame(record, owner), input)
  if (first === undefined) return noChange(null)
  first.changes.push({ kind: "introduction", introduction })
  addSystemMessage(first, `you introduced ${owner.name} to ${first.contact.name}`)
  return toJointDecision(state, updates, null)
}

/**
 * A new session has dropped what the old one sealed, or none could seal it: what the contact was told for introductions is
 * sealed now. False if the session cannot; then the entry `seq` stays, for a later try [D-81].
 */
export function sealSteps(state: EngineState, seq: number, input: StepInput): Decision<boolean> {
  return sealWaitingEntry(state, seq, (update) => sealEach(update, stepFrames(state, update)), input)
}

function sealEach(update: DeviceUpdate, frames: readonly Frame[]): SealResult {
  for (const frame of frames) {
    const sealed = sealAndEnqueue(update, { kind: "control", frames: [frame] })
    if (sealed.kind === "refused") return sealed
  }
  return { kind: "posted" }
}

function stepFrames(state: EngineState, { contact, input }: DeviceUpdate): Frame[] {
  return stepsSentTo(state, contact.id, input.now).flatMap((record) => frameOf(state, record) ?? [])
}

function frameOf(state: EngineState, record: IntroductionRecord): Frame | undefined {
  if (record.role === "owner") return yesFrame(record)
  if (record.state === "asked") return askFrame(record)
  const owner = state.contacts.get(record.contact)
  return owner && introFrame(record, owner)
}

function askFrame({ account, name }: IntroductionRecord): Frame {
  return { kind: "intro-ask", account, name: shortName(name) }
}

export function yesFrame({ account, bundle }: IntroductionRecord): Frame {
  return { kind: "intro-yes", account, bundle }
}

function introFrame({ bundle }: IntroductionRecord, owner: ContactRecord): Frame {
  return { kind: "intro", account: accountIdOf(owner), bundle, name: shortName(owner.name) }
}

function notNow({ name }: ContactRecord): Fault {
  const hint = shellCommand`mqttchat contacts` + ", then try again later"
  return new Fault("unavailable", `${name} has to answer before more can be sent`, hint)
}
