import type { Session } from "../../session/state.ts"
import type { LeftOut } from "../../store/device-parts.ts"
import type { DeviceId } from "../../store/ids.ts"
import type { MessageRecord } from "../../store/message-records.ts"
import { DAY_MS, MINUTE_MS } from "../../time-units.ts"
import type { Frame } from "../../wire/frame.ts"
import type { Change } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { DeviceUpdate } from "../state/update.ts"
import { devicesOf } from "./devices.ts"
import { addSystemMessage } from "./system-messages.ts"

/** No number of the wire is as high. */
const NO_NUMBER = 2 ** 32
/** A new session begins with what waited for it; sealing that takes its sender seconds. */
const RESEALED_MS = MINUTE_MS
/** Until the peer has begun its first chain in the new session. */
const NOT_YET = Number.MAX_SAFE_INTEGER
/** So far two clocks that are right may be apart. */
const APART_MS = MINUTE_MS
/** Texts of someone who is read once a day come as late as this although their clock is right. */
const LATE_MS = DAY_MS

/**
 * How far the clock of a contact is ahead of ours, as the text shows that came soonest after it was written. A text cannot
 * come before that, but well after it: so a clock that is behind shows only if all of them seem very late.
 */
export function clockAhead(texts: readonly Pick<MessageRecord, "sentAt" | "storedAt">[]): number {
  const soonest = texts.reduce((most, { sentAt, storedAt }) => Math.max(most, sentAt - storedAt), -Infinity)
  const isOff = soonest > APART_MS || (Number.isFinite(soonest) && soonest < -LATE_MS)
  return isOff ? soonest : 0
}

type Unblocking = { readonly now: number; readonly isWanted: boolean; readonly ahead: number }

/** For a device of a contact that is unblocked now: what it wrote before is left out, or is wanted. */
export function leftOutUntil(
  state: EngineState,
  device: DeviceId,
  { now, isWanted, ahead }: Unblocking,
): Change {
  const session = state.sessions.get(device)
  const value: LeftOut = {
    until: isWanted ? 0 : now,
    ahead,
    turns: turnsFrom(session),
    resealedUntil: 0,
    firstKept: NO_NUMBER,
    noted: false,
  }
  return { kind: "device-part", device, part: "leftOut", value }
}

/**
 * A chain of theirs shows that they have heard from us if it answers one that we begin after now. While we speak, their next
 * one may answer the chain that we have begun.
 */
function turnsFrom(session: Session | undefined): number {
  return session?.kind === "listening" ? 1 : 2
}

/** What the old session had not brought is sealed again, under numbers that begin again [D-34]. */
export function leftOutInNewSession(leftOut: LeftOut | undefined): LeftOut | undefined {
  if (leftOut === undefined || leftOut.until === 0) return leftOut
  return { ...leftOut, turns: 2, resealedUntil: NOT_YET, firstKept: NO_NUMBER }
}

type OpenedMessage = {
  readonly frames: readonly Frame[]
  readonly newChain: boolean
  /** Its chain may be an old one. */
  readonly overtaken: boolean
}

/** Call for each message that opens: whether it was written before the contact was unblocked [D-143]. */
export function leavesOut(
  state: EngineState,
  update: DeviceUpdate,
  { frames, newChain, overtaken }: OpenedMessage,
): boolean {
  if (update.leftOut === undefined) return false
  noteChain(update, newChain)
  if (!isLeftOut(update, frames, overtaken)) return false
  noteLeftOut(state, update)
  return true
}

function noteChain(update: DeviceUpdate, newChain: boolean): void {
  const { leftOut, input } = update
  if (leftOut === undefined || !newChain || leftOut.turns === 0) return
  const { resealedUntil } = leftOut
  const until = resealedUntil === NOT_YET ? input.now + RESEALED_MS : resealedUntil
  update.leftOut = { ...leftOut, turns: leftOut.turns - 1, resealedUntil: until }
}

function isLeftOut(update: DeviceUpdate, frames: readonly Frame[], overtaken: boolean): boolean {
  const { leftOut, input } = update
  const numbered = frames.find((frame) => frame.kind === "number")
  if (!isActive(leftOut) || numbered?.kind !== "number") return false
  const { number } = numbered
  const time = timeOf(frames)
  const isWrittenAfter =
    time !== undefined && isWithin(time - leftOut.ahead, leftOut.until, input.now + APART_MS)
  if (comesAgain(leftOut, frames)) return !isWrittenAfter
  if (number >= leftOut.firstKept) return false
  const isSealedAfter = !overtaken && leftOut.turns === 0 && input.now >= leftOut.resealedUntil
  if (!isSealedAfter && !isWrittenAfter) return time !== undefined
  update.leftOut = { ...leftOut, firstKept: number }
  return false
}

/** After a recovery, behind texts of any age [D-132] [D-134]: only its time tells when it was written. */
function comesAgain({ resealedUntil }: LeftOut, frames: readonly Frame[]): boolean {
  return frames.some(
    ({ kind }) => kind === "resend" || (resealedUntil > 0 && (kind === "edit" || kind === "reaction")),
  )
}

function isWithin(value: number, min: number, max: number): boolean {
  return value >= min && value <= max
}

/** When it was written, by the clock of its author. A deletion brings nothing, so it always counts; a number alone likewise. */
function timeOf(frames: readonly Frame[]): number | undefined {
  for (const frame of frames) {
    if (frame.kind === "text" || frame.kind === "resend") return frame.time
    if (frame.kind === "edit" || frame.kind === "reaction") return frame.time
    // Of another version: there is a time that we cannot read.
    if (frame.kind === "unknown") return -1
  }
  return undefined
}

/** Of so many missing numbers before this one, those that came after the contact was unblocked. */
export function missingAfterUnblock({ leftOut, textNumbers }: DeviceUpdate, before: number): number {
  const { received } = textNumbers
  if (!isActive(leftOut)) return before - received
  return Math.max(0, before - Math.max(received, leftOut.firstKept))
}

/** Whether a number stands for something that was written before. */
export function isOfBlockedTime({ leftOut }: DeviceUpdate, number: number): boolean {
  return isActive(leftOut) && number < leftOut.firstKept
}

/** Whether the contact was unblocked, and what they wrote before is not wanted. */
export function isActive(leftOut: LeftOut | undefined): leftOut is LeftOut {
  return leftOut !== undefined && leftOut.until > 0
}

/** One line, whatever was left out, for all devices of the contact. */
export function noteLeftOut(state: EngineState, update: DeviceUpdate): void {
  const { leftOut, contact } = update
  if (leftOut === undefined || leftOut.noted) return
  update.leftOut = { ...leftOut, noted: true }
  const isNoted = devicesOf(state, contact.id).some(({ id }) => {
    const other = state.deviceParts.get(id)?.leftOut
    return other?.noted === true && other.until === leftOut.until
  })
  if (!isNoted) addSystemMessage(update, `what ${contact.name} sent while you had blocked them was left out`)
}
