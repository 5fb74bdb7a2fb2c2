import type { OutgoingRecord } from "../../store/records.ts"
import { DAY_MS, HOUR_MS } from "../../time-units.ts"

/** How long to wait for the peer's receipt after each publish, in ms; the last one goes on. */
const RETRANSMIT_AFTER_MS = [5_000, 30_000, 120_000, 600_000, HOUR_MS] as const
/** Nobody acknowledged it for 30 days. */
export const GIVE_UP_AFTER_MS = 30 * DAY_MS
/** What was published so recently is on its way still, whatever the peer says. */
const IN_FLIGHT_MS = 500

/** How long a frame rests after it was published for the `attempts`th time, counted from 1; in ms. */
export function retransmitAfter(attempts: number): number {
  return RETRANSMIT_AFTER_MS[attempts - 1] ?? HOUR_MS
}

/** What a frame's rest is reckoned by. */
type Schedule = Pick<OutgoingRecord, "published" | "attempts" | "dueAt">

/** Whether it has rested enough. One that would rest longer than any does was published before the clock was set back. */
export function isDue({ published, attempts, dueAt }: Schedule, now: number): boolean {
  return !published || dueAt <= now || dueAt - now > retransmitAfter(attempts)
}

/** Whether a frame may go again at the peer's wish: it was published, and not a moment ago. */
export function mayRetransmitNow(entry: Schedule, now: number): boolean {
  if (!entry.published) return false
  const publishedAt = entry.dueAt - retransmitAfter(entry.attempts)
  return now - publishedAt > IN_FLIGHT_MS || now < publishedAt
}
