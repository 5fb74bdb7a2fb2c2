import { randomUUID } from "node:crypto"
import { Fault } from "../../errors.ts"
import { HOUR_MS, MINUTE_MS } from "../../time-units.ts"
import type { CommitQueue } from "./commit-queue.ts"
import type { Change } from "./decision.ts"
import type { EngineState } from "./engine-state.ts"
import {
  bearOut,
  clockDoubt,
  considerAgain,
  firstTime,
  isBorneOutBy,
  resumeTime,
  savedTime,
  SAVED_WITHIN_MS,
  timeAt,
  type ClockDoubt,
  type EngineTime,
  type MachineTime,
  type SavedTime,
  type TimeStep,
} from "./engine-time.ts"
import type { OutsidePorts } from "./ports.ts"
import { profileSetting } from "./profile-settings.ts"
import { decodeTime, encodeTime } from "./saved-time.ts"

/** If nothing is committed: often enough that a machine which is off for a week is believed, and does not wake its disk. */
const SAVE_EVERY_MS = HOUR_MS
/** How soon after the start a clock that is wrong is told, and one that was set right meanwhile is noticed. */
const RECHECK_MS = MINUTE_MS

/** Keeps the engine's time on disk, and in step with what is known of the machine's clock. */
export type TimeKeeper = {
  readonly now: () => number
  /** For the first commit, once for each boot: another process of this boot must begin from the same time. */
  readonly begin: () => readonly Change[]
  /** A contact's text has this time of its author's clock. */
  readonly onDated: (theirs: number) => void
  readonly doubt: () => ClockDoubt | undefined
  readonly watch: (watcher: TimeWatcher) => void
  /** Writes what was not written yet. */
  readonly close: () => Promise<void>
}

export type TimeWatcher = {
  readonly onAdvanced: () => void
  /** Once in the life of the process. */
  readonly onDoubt: (doubt: ClockDoubt) => void
}

type Machine = Pick<OutsidePorts, "wallClock" | "uptime" | "boot" | "after">

export function keepTime(machine: Machine, queue: CommitQueue): TimeKeeper {
  const keeper = new Keeper(machine, queue)
  queue.takeAlong(keeper.withCommit)
  return {
    now: keeper.now,
    begin: keeper.begin,
    onDated: keeper.onDated,
    doubt: () => clockDoubt(keeper.time, keeper.read()),
    watch: keeper.watch,
    close: keeper.close,
  }
}

class Keeper {
  time: EngineTime
  readonly #machine: Machine
  readonly #queue: CommitQueue
  /** Where boots have no name, each process is one. */
  readonly #boot: string
  #savedAt: number
  /** As on disk: another process of this boot begins from the same time. */
  readonly #isKnown: boolean
  #stepping = false
  #cancel: () => void = () => undefined
  #watcher: TimeWatcher | undefined
  #isDoubtReported = false

  constructor(machine: Machine, queue: CommitQueue) {
    this.#machine = machine
    this.#queue = queue
    this.#boot = machine.boot ?? randomUUID()
    const saved = decodeTime(profileSetting(queue.state(), "time"))
    const read = this.read()
    this.time = begun(queue.state(), saved, read)
    this.#isKnown = saved !== undefined && saved.boot === this.#boot && saved.origin === this.time.origin
    this.#savedAt = saved?.newest ?? 0
  }

  readonly read = (): MachineTime => {
    const { wallClock, uptime } = this.#machine
    return { boot: this.#boot, uptime: uptime(), wall: wallClock() }
  }

  readonly now = (): number => timeAt(this.time, this.#machine.uptime())

  readonly begin = (): readonly Change[] => {
    if (this.#machine.boot === undefined || this.#isKnown) return []
    const saved = savedTime(this.time, this.read())
    this.#savedAt = saved.newest
    return [settingOf(saved)]
  }

  readonly watch = (watcher: TimeWatcher): void => {
    this.#watcher = watcher
    this.#cancel = this.#machine.after(RECHECK_MS, this.#check)
  }

  readonly onDated = (theirs: number): void => {
    if (this.#stepping || !isBorneOutBy(this.time, this.read(), theirs)) return
    void this.#step(bearOut(this.time, this.read()))
  }

  readonly close = async (): Promise<void> => {
    this.#cancel()
    this.#watcher = undefined
    if (this.now() - this.#savedAt >= SAVE_EVERY_MS) await this.#commitIfPossible()
  }

  /** For every commit: what it stores has times up to now, and none may lie ahead of the time that a next boot begins with. */
  readonly withCommit = (): readonly Change[] => {
    if (this.#stepping || this.now() - this.#savedAt < SAVED_WITHIN_MS) return []
    const saved = savedTime(this.time, this.read())
    this.#savedAt = saved.newest
    return [settingOf(saved)]
  }

  readonly #check = (): void => {
    const read = this.read()
    const step = considerAgain(this.time, read)
    if (step.time !== this.time || this.now() - this.#savedAt >= SAVE_EVERY_MS) void this.#step(step)
    const doubt = clockDoubt(this.time, read)
    if (doubt !== undefined && !this.#isDoubtReported && step.time === this.time)
      this.#watcher?.onDoubt(doubt)
    this.#isDoubtReported ||= doubt !== undefined
    const wait = this.time.isAwayKnown ? SAVE_EVERY_MS : RECHECK_MS
    this.#cancel = this.#machine.after(wait, this.#check)
  }

  async #step(step: TimeStep): Promise<void> {
    if (this.#stepping) return
    this.#stepping = true
    try {
      await this.#commit(step)
      if (step.by > 0) this.#watcher?.onAdvanced()
    } catch (fault) {
      // The disk is full: the next check tries again.
      if (!(fault instanceof Fault)) throw fault
    } finally {
      this.#stepping = false
    }
  }

  async #commitIfPossible(): Promise<void> {
    try {
      await this.#commit({ time: this.time, by: 0 })
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
    }
  }

  async #commit({ time, by }: TimeStep): Promise<void> {
    const saved = savedTime(time, this.read())
    const { since } = this.time
    await this.#queue.run((state) => ({
      commit: [settingOf(saved), ...(by > 0 ? movedAlong(state, since, by) : [])],
      effects: [],
      result: null,
    }))
    this.time = { ...time, agreed: saved.agreed }
    this.#savedAt = saved.newest
  }
}

/** Without contacts nothing counts yet: a clock that was set since `init` is believed. */
function begun({ contacts }: EngineState, saved: SavedTime | undefined, read: MachineTime): EngineTime {
  if (saved === undefined) return firstTime(read)
  const resumed = resumeTime(saved, read)
  return clockDoubt(resumed, read) !== undefined && contacts.size === 0 ? firstTime(read) : resumed
}

function settingOf(saved: SavedTime): Change {
  return { kind: "setting", key: "time", value: encodeTime(saved) }
}

/** What began since, and would be deleted or ended too early. */
function movedAlong({ deviceParts, unfinished }: EngineState, since: number, by: number): Change[] {
  const handshakes = [...unfinished].flatMap((device): Change[] => {
    const value = deviceParts.get(device)?.shownAccount
    if (value === undefined || value.until === 0 || value.at < since) return []
    const moved = { ...value, at: value.at + by, until: value.until + by }
    return [{ kind: "device-part", device, part: "shownAccount", value: moved }]
  })
  return [{ kind: "move-timers", since, by }, ...handshakes]
}
