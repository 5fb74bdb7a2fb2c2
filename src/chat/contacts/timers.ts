import type { ContactRecord } from "../../store/records.ts"
import type { Frame } from "../../wire/frame.ts"
import type { Draft } from "../draft.ts"
import { showLine } from "../lines.ts"

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const

type Timer = Pick<ContactRecord, "timer" | "timerSetAt">

/** A setting of theirs, which counts if it is the later one [W-32]. */
export function hearTimer(draft: Draft, { seconds, setAt }: Extract<Frame, { kind: "timer" }>): void {
  const { contact } = draft
  if (!isLater({ timer: seconds, timerSetAt: setAt }, contact)) return
  draft.contact = { ...contact, timer: seconds, timerSetAt: setAt }
  if (seconds !== contact.timer) showLine(draft, `${contact.name} ${whatTimerDoes(seconds)}`)
}

/** A setting of ours, later than any before it. */
export function setTimer(draft: Draft, seconds: number): void {
  const { contact, moment } = draft
  draft.contact = {
    ...contact,
    timer: seconds,
    timerSetAt: Math.max(moment.now, contact.timerSetAt + 1),
  }
  showLine(draft, `you ${whatTimerDoes(seconds)}`)
}

/** Never is longer than any time. */
function isLater(theirs: Timer, ours: Timer): boolean {
  if (theirs.timerSetAt !== ours.timerSetAt) return theirs.timerSetAt > ours.timerSetAt
  return theirs.timer !== 0 && (ours.timer === 0 || theirs.timer < ours.timer)
}

function whatTimerDoes(seconds: number): string {
  return seconds === 0
    ? "turned disappearing messages off"
    : `set messages to disappear after ${span(seconds)}`
}

function span(seconds: number): string {
  const [unit, length] = UNITS.find(([, length]) => seconds % length === 0) ?? ["second", 1]
  const count = seconds / length
  return `${count} ${unit}${count === 1 ? "" : "s"}`
}
