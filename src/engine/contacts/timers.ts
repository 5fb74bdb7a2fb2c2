import type { ConversationRecord } from "../../store/records.ts"
import type { Frame } from "../../wire/frame.ts"
import type { DeviceUpdate } from "../state/update.ts"
import { addSystemMessage } from "./system-messages.ts"

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const

/**
 * A setting of theirs that is dated later counts as one of this time: ours, a millisecond later each, come after it, and
 * there is room for as many as anyone makes. It is 250,000 years ahead, so no clock that is merely wrong is affected.
 */
const SET_AT_MAX = 2 ** 53 - 2 ** 50

type Timer = Pick<ConversationRecord, "timer" | "timerSetAt">

/** The time of a setting that has changed since the text was written: it is the timer of that text only [W-32]. */
const OF_THE_TEXT_ONLY = 0

/** A setting of theirs; it counts if it is later than ours [W-32]. */
export function applyTimer(
  update: DeviceUpdate,
  { seconds, setAt }: Extract<Frame, { kind: "timer" }>,
): void {
  const { contact, conversation } = update
  const timerSetAt = Math.min(setAt, SET_AT_MAX)
  if (setAt === OF_THE_TEXT_ONLY || !isLater({ timer: seconds, timerSetAt }, conversation)) return
  update.conversation = { ...conversation, timer: seconds, timerSetAt }
  if (seconds !== conversation.timer) addSystemMessage(update, `${contact.name} ${describeTimer(seconds)}`)
}

/** A setting of ours, dated later than any before it. */
export function setTimer(update: DeviceUpdate, seconds: number): void {
  const { conversation, input } = update
  update.conversation = {
    ...conversation,
    timer: seconds,
    timerSetAt: Math.max(input.now, conversation.timerSetAt + 1),
  }
  addSystemMessage(update, `you ${describeTimer(seconds)}`)
}

/** 0 (never) sorts after every finite timer. */
function isLater(theirs: Timer, ours: Timer): boolean {
  if (theirs.timerSetAt !== ours.timerSetAt) return theirs.timerSetAt > ours.timerSetAt
  return theirs.timer !== 0 && (ours.timer === 0 || theirs.timer < ours.timer)
}

function describeTimer(seconds: number): string {
  return seconds === 0
    ? "turned disappearing messages off"
    : `set messages to disappear after ${formatDuration(seconds)}`
}

function formatDuration(seconds: number): string {
  const [unit, length] = UNITS.find(([, length]) => seconds % length === 0) ?? ["second", 1]
  const count = seconds / length
  return `${count} ${unit}${count === 1 ? "" : "s"}`
}

export function timerOf({ timer, timerSetAt }: ConversationRecord): Frame {
  return { kind: "timer", seconds: timer, setAt: timerSetAt }
}

/** What goes with a text of ours: the timer that was set when it was written, whenever it is sealed. */
export function timerOfText({ timer }: { readonly timer: number }, setting: ConversationRecord): Frame {
  return timer === setting.timer
    ? timerOf(setting)
    : { kind: "timer", seconds: timer, setAt: OF_THE_TEXT_ONLY }
}
