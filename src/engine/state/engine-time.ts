import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../time-units.ts"

/**
 * What the machine says, in ms: `wall` is its clock, which anyone may set; `uptime` counts since its boot, also while it is
 * suspended. `boot` names the boot.
 */
export type MachineTime = { readonly boot: string; readonly uptime: number; readonly wall: number }

/** One moment, by engine time and by the machine's clock. */
type Reading = { readonly time: number; readonly wall: number }

/** The engine's time: within one boot it is uptime; from one boot to the next it follows the machine's clock [D-106]. */
export type EngineTime = {
  readonly boot: string
  /** Engine time when the uptime was 0. */
  readonly origin: number
  /** Since when every part of the time is known; what began before may have been under way while the machine was off. */
  readonly since: number
  /** False while no one can say how long the machine was off: nothing was counted for it yet. */
  readonly isAwayKnown: boolean
  /** The last moment at which the machine's clock contradicted nothing. */
  readonly agreed: Reading
  /** The last moment at which a contact bore it out, and in which boot. */
  readonly borneOut: (Reading & { readonly boot: string }) | undefined
}

/** As it is kept: with the uptime and the engine time at which it was written. */
export type SavedTime = EngineTime & { readonly uptime: number; readonly newest: number }

/** A step of the time; `by` is how far it goes ahead at once, for a time away that became known [D-107]. */
export type TimeStep = { readonly time: EngineTime; readonly by: number }

/** What a user is told: what the clock shows, and what it should show if it is the clock that is wrong; unix ms. */
export type ClockDoubt = { readonly shows: number; readonly expected: number }

/**
 * A commit takes the time along if that on disk is older. So what a boot stored is no later than this after its newest time,
 * and a boot that begins there tells it from its own.
 */
export const SAVED_WITHIN_MS = MINUTE_MS
/** A machine that was off for longer is believed only when a contact bears its clock out. */
const BELIEVED_MS = 7 * DAY_MS
/** Clocks are corrected by seconds all the time, and drift by minutes in a year. */
const SLACK_MS = 5 * MINUTE_MS
/** A contact's clock may be wrong, too, and its message some time under way. */
const BEARS_OUT_MS = HOUR_MS
/** A smaller error is a time zone, and misleads no one for long. */
const DOUBTED_MS = DAY_MS

/** The first time of a profile: there is nothing yet that could contradict the machine's clock. */
export function firstTime({ boot, uptime, wall }: MachineTime): EngineTime {
  const agreed = { time: wall, wall }
  return { boot, origin: wall - uptime, since: wall, isAwayKnown: true, agreed, borneOut: undefined }
}

/** An uptime that is shorter than before is that of another boot, whatever its name. */
export function resumeTime(saved: SavedTime, machine: MachineTime): EngineTime {
  const { boot, uptime, wall } = machine
  const { newest, uptime: uptimeBefore, ...before } = saved
  if (saved.boot === boot && uptime >= uptimeBefore) return before
  const away = timeAway(before, { time: newest, wall })
  const begun = newest + (away ?? SAVED_WITHIN_MS)
  return {
    boot,
    origin: begun - uptime,
    since: before.isAwayKnown ? begun : before.since,
    isAwayKnown: away !== undefined,
    agreed: away === undefined ? before.agreed : { time: begun, wall },
    borneOut: before.borneOut,
  }
}

export function savedTime(time: EngineTime, machine: MachineTime): SavedTime {
  const { isAwayKnown, boot, origin, since, borneOut } = time
  const { uptime } = machine
  const agreed = clockDoubt(time, machine) === undefined ? readingOf(time, machine) : time.agreed
  return { boot, origin, since, isAwayKnown, agreed, borneOut, uptime, newest: timeAt(time, uptime) }
}

export function timeAt({ origin }: EngineTime, uptime: number): number {
  return Math.floor(origin + uptime)
}

/** The machine's clock may have been set right since the start. */
export function considerAgain(time: EngineTime, machine: MachineTime): TimeStep {
  const now = readingOf(time, machine)
  const away = time.isAwayKnown ? undefined : timeAway(time, now)
  if (away === undefined) return { time, by: 0 }
  return advanced({ ...time, isAwayKnown: true, agreed: { ...now, time: now.time + away } }, away)
}

/** Whether a text with this time of its author's says something new about our clock. */
export function isBorneOutBy(time: EngineTime, machine: MachineTime, theirs: number): boolean {
  const { wall, boot } = machine
  if (Math.abs(theirs - wall) > BEARS_OUT_MS) return false
  const { borneOut } = time
  if (!time.isAwayKnown || borneOut?.boot !== boot) return true
  return Math.abs(gapTo(borneOut, readingOf(time, machine))) > SLACK_MS || wall - borneOut.wall > DAY_MS
}

/**
 * A contact bears our clock out. The time between two such moments is known; if it is longer than we counted, and the
 * machine was booted in between, it was off for the rest. Without an earlier such moment no one knows what was right.
 */
export function bearOut(time: EngineTime, machine: MachineTime): TimeStep {
  const now = readingOf(time, machine)
  const { borneOut } = time
  const gap = borneOut === undefined || borneOut.boot === time.boot ? 0 : gapTo(borneOut, now)
  const by = gap > SLACK_MS ? gap : 0
  const agreed = { ...now, time: now.time + by }
  return advanced({ ...time, isAwayKnown: true, agreed, borneOut: { ...agreed, boot: time.boot } }, by)
}

/** Undefined while the machine's clock contradicts nothing that is known. */
export function clockDoubt(time: EngineTime, machine: MachineTime): ClockDoubt | undefined {
  const gap = gapTo(time.agreed, readingOf(time, machine))
  if (time.isAwayKnown && Math.abs(gap) <= DOUBTED_MS) return undefined
  return { shows: machine.wall, expected: Math.floor(machine.wall - gap) }
}

function readingOf(time: EngineTime, { uptime, wall }: MachineTime): Reading {
  return { time: timeAt(time, uptime), wall }
}

/** How much longer the time from one moment to the other was by the machine's clock. */
function gapTo(before: Reading, now: Reading): number {
  return now.wall - before.wall - (now.time - before.time)
}

/** Undefined if it cannot be told. Of two answers the shorter deletes nothing too early. */
function timeAway({ agreed, borneOut }: EngineTime, now: Reading): number | undefined {
  const answers = [agreed, ...(borneOut ? [borneOut] : [])].map((reading) => gapTo(reading, now))
  const likely = answers.filter((away) => away >= -SLACK_MS && away <= BELIEVED_MS)
  return likely.length === 0 ? undefined : Math.max(0, Math.min(...likely))
}

/** What began since the boot has nothing to do with the time away, and moves along. */
function advanced(time: EngineTime, by: number): TimeStep {
  const { origin, since, ...rest } = time
  return { time: { origin: origin + by, since: since + by, ...rest }, by }
}
