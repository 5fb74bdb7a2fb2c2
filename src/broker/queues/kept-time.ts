import { DAY_MS } from "../../time-units.ts"

/** A broker that was off for longer is not believed: its machine's clock may be wrong. */
const BELIEVED_MS = 7 * DAY_MS

/**
 * The time by which queues and sessions end, in ms near to Unix time: within a process it is `elapsed`, whatever happens to
 * the machine's clock; from one process to the next it goes on from `newest`, the newest time in the journal, with what
 * the clock `wall` says of the time between, if that is likely. What it does not count is kept longer [D-110].
 */
export function keptTime(newest: number | undefined, wall: number, elapsed: () => number): () => number {
  const away = newest === undefined ? 0 : wall - newest
  const isLikely = away >= 0 && away <= BELIEVED_MS
  const origin = (newest ?? wall) + (isLikely ? away : 0) - elapsed()
  return () => Math.floor(origin + elapsed())
}
