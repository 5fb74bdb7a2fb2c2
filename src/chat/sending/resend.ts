import type { OutgoingRecord } from "../../store/records.ts"

const HOUR_MS = 3_600_000

/** How long to wait for the peer's receipt after each publish, in ms; the last one goes on. */
const RESEND_AFTER_MS = [5_000, 30_000, 120_000, 600_000, HOUR_MS] as const
/** Nobody acknowledged it for 30 days. */
export const GIVE_UP_AFTER_MS = 30 * 24 * HOUR_MS
/** What was published so recently is on its way still, whatever the peer says. */
const ON_ITS_WAY_MS = 500

/** How long a frame rests after it was published for the `attempts`th time, counted from 1; in ms. */
export function restAfter(attempts: number): number {
  return RESEND_AFTER_MS[attempts - 1] ?? HOUR_MS
}

/** What a frame's rest is reckoned by. */
type Resting = Pick<OutgoingRecord, "published" | "attempts" | "dueAt">

/** Whether it has rested enough. One that would rest longer than any does was published before the clock was set back. */
export function isDue({ published, attempts, dueAt }: Resting, now: number): boolean {
  return !published || dueAt <= now || dueAt - now > restAfter(attempts)
}

/** Whether a frame may go again at the peer's wish: it was published, and not a moment ago. */
export function mayHurry(letter: Resting, now: number): boolean {
  if (!letter.published) return false
  const publishedAt = letter.dueAt - restAfter(letter.attempts)
  return now - publishedAt > ON_ITS_WAY_MS || now < publishedAt
}
