import type { OutgoingRecord } from "../../store/records.ts"
import { DAY_MS, HOUR_MS } from "../../time-units.ts"

/** How long to wait for the peer's receipt after each publish, in ms; the last value repeats. */
const RETRANSMIT_AFTER_MS = [5_000, 30_000, 120_000, 600_000, HOUR_MS] as const
/**
 * A frame is given up once it was published on so many days without an acknowledgement: a laptop that is opened on Sundays
 * needs half a year for that, and one that was away has not tried yet.
 */
const GIVE_UP_AFTER_DAYS = 30
/** A frame published this recently is still on its way, even if the peer asks for it. */
const IN_FLIGHT_MS = 500

/** How long a frame rests after it was published for the `attempts`th time, counted from 1; in ms. */
export function retransmitAfter(attempts: number): number {
  return RETRANSMIT_AFTER_MS[attempts - 1] ?? HOUR_MS
}

type Tries = Pick<OutgoingRecord, "createdAt" | "daysTried" | "lastDayTried">

/** Whether it was tried on enough days, and the last of them is over. */
export function isTriedEnough(entry: Tries, now: number): boolean {
  return entry.daysTried >= GIVE_UP_AFTER_DAYS && dayOf(entry, now) > entry.lastDayTried
}

/** After one more publish. */
export function triedOn(entry: Tries, now: number): Pick<Tries, "daysTried" | "lastDayTried"> {
  const day = dayOf(entry, now)
  return day > entry.lastDayTried ? { daysTried: entry.daysTried + 1, lastDayTried: day } : entry
}

function dayOf({ createdAt }: Tries, now: number): number {
  return Math.floor(Math.max(0, now - createdAt) / DAY_MS)
}

/** The fields that determine a frame's rest. */
type Schedule = Pick<OutgoingRecord, "published" | "attempts" | "dueAt">

/** When a frame that rests was published last. */
export function publishedAt({ attempts, dueAt }: Schedule): number {
  return dueAt - retransmitAfter(attempts)
}

/** A rest longer than there are any: the clock was set back after the publish. */
export function isRestTooLong({ published, attempts, dueAt }: Schedule, now: number): boolean {
  return published && dueAt - now > retransmitAfter(attempts)
}

/** Whether a frame may be sent again at the peer's request: it was published, and not just now. */
export function mayRetransmitNow(entry: Schedule, now: number): boolean {
  if (!entry.published) return false
  const sentAt = publishedAt(entry)
  return now - sentAt > IN_FLIGHT_MS || now < sentAt
}
