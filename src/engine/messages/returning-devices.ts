import type { DeviceId } from "../../store/ids.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import { HOUR_MS } from "../../time-units.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Change, Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Events } from "../state/event-emitter.ts"
import { outgoingOf } from "../state/outgoing-index.ts"
import type { Ports } from "../state/ports.ts"
import { runDetached } from "../state/run-detached.ts"
import { publishedAt } from "./retransmit-schedule.ts"

/** Of a frame that was published so recently, the receipt may be under way. */
const ON_ITS_WAY_MS = 2_000
const STEP_MS = 250
/** After so many steps without a receipt, the broker has no more to bring: a second. */
const QUIET_STEPS = 4
/** A device whose frames come all the time is looked at once in this time. */
const CHECK_EVERY_MS = 1_000
/** Fits a queue of any broker. The next round has twice as many as the last one got receipts for. */
const FIRST_ROUND = 32
/** After a round without any receipt: sending again does not help. */
const FRUITLESS_MS = { first: 30_000, longest: HOUR_MS } as const
/** A connection that is cut again and again leads to one repetition per device in this time. */
const PROBE_EVERY_MS = 30_000

type ReturnParts = {
  readonly ports: Pick<Ports, "now" | "after">
  readonly queue: CommitQueue
  readonly events: Events
}

/** What is sent again to a device that is back. */
type Repetition = {
  /** What rested when it came back, and has no receipt yet. */
  resting: ReadonlySet<number>
  /** Of them, what was sent again in this round. */
  round: ReadonlySet<number>
  atRoundStart: number
  quietSteps: number
  readonly cancel: () => void
}

/** What is remembered of a device while it has frames that rest. */
type Memory = {
  repetition: Repetition | undefined
  checkedAt: number
  /** Not sooner: nothing came of the last round. */
  notBefore: number
  fruitless: number
}

/**
 * Notices a device that is back, by a frame of it, and sends it again what rests [D-174]: its broker may have kept only a
 * part. It waits until the receipts for that part have come, and then sends in rounds, so that neither the queue of the
 * broker overflows again nor a device makes us send without end.
 */
export class ReturningDevices {
  readonly #ports: ReturnParts["ports"]
  readonly #queue: CommitQueue
  readonly #events: Events
  readonly #memory = new Map<DeviceId, Memory>()
  readonly #probedAt = new Map<DeviceId, number>()

  constructor({ ports, queue, events }: ReturnParts) {
    this.#ports = ports
    this.#queue = queue
    this.#events = events
  }

  /** A frame of this device has opened. */
  received(device: DeviceId): void {
    if (!this.#queue.state().queues.has(device)) {
      this.#forget(device)
      return
    }
    const now = this.#ports.now()
    const memory = this.#memory.get(device) ?? {
      repetition: undefined,
      checkedAt: 0,
      notBefore: 0,
      fruitless: 0,
    }
    if (memory.repetition !== undefined || Math.abs(now - memory.checkedAt) < CHECK_EVERY_MS) return
    this.#memory.set(device, memory)
    memory.checkedAt = now
    if (now >= memory.notBefore) this.#begin(device, memory)
  }

  /** Our connection is up. The oldest frame of each device goes again: its receipt tells whether the device is there. */
  async probe(): Promise<void> {
    const now = this.#ports.now()
    await this.#queue.run((state) => {
      const devices = [...state.queues.keys()].filter((device) => this.#mayProbe(device, now))
      const oldest = devices.flatMap((device) => restingOf(state, device, now).slice(0, 1))
      for (const { device } of oldest) this.#probedAt.set(device, now)
      return dueNow(oldest, now)
    })
  }

  /** The connection is down, or the engine ends. */
  stop(): void {
    for (const { repetition } of this.#memory.values()) repetition?.cancel()
    this.#memory.clear()
  }

  #mayProbe(device: DeviceId, now: number): boolean {
    const last = this.#probedAt.get(device)
    return last === undefined || Math.abs(now - last) >= PROBE_EVERY_MS
  }

  #forget(device: DeviceId): void {
    if (this.#memory.size === 0) return
    this.#memory.get(device)?.repetition?.cancel()
    this.#memory.delete(device)
    this.#probedAt.delete(device)
  }

  #begin(device: DeviceId, memory: Memory): void {
    const resting = seqsOf(restingOf(this.#queue.state(), device, this.#ports.now()))
    if (resting.size === 0) return
    this.#schedule(device, memory, { resting, round: new Set(), atRoundStart: resting.size, quietSteps: 0 })
  }

  #schedule(device: DeviceId, memory: Memory, repetition: Omit<Repetition, "cancel">): void {
    const cancel = this.#ports.after(STEP_MS, () => this.#onStep(device, memory))
    memory.repetition = { ...repetition, cancel }
  }

  #onStep(device: DeviceId, memory: Memory): void {
    const { repetition } = memory
    memory.repetition = undefined
    if (repetition === undefined) return
    const resting = stillIn(this.#queue.state(), repetition.resting)
    if (resting.size === 0) {
      this.#begin(device, memory)
      return
    }
    const round = stillIn(this.#queue.state(), repetition.round)
    const quietSteps = resting.size < repetition.resting.size ? 0 : repetition.quietSteps + 1
    const isRoundOver = repetition.round.size > 0 && round.size === 0
    if (!isRoundOver && quietSteps < QUIET_STEPS) {
      this.#schedule(device, memory, { ...repetition, resting, round, quietSteps })
      return
    }
    const received = repetition.atRoundStart - resting.size
    if (received > 0) memory.fruitless = 0
    else if (repetition.round.size > 0) {
      this.#pause(memory)
      return
    }
    this.#startRound(device, memory, { resting, size: Math.max(FIRST_ROUND, 2 * received) })
  }

  #pause(memory: Memory): void {
    const { first, longest } = FRUITLESS_MS
    memory.notBefore = this.#ports.now() + Math.min(longest, first * 2 ** memory.fruitless)
    memory.fruitless += 1
  }

  async #sendAgain(round: ReadonlySet<number>, now: number): Promise<void> {
    await this.#queue.run((state) => dueNow(entriesOf(state, round), now))
  }

  #startRound(
    device: DeviceId,
    memory: Memory,
    { resting, size }: { readonly resting: ReadonlySet<number>; readonly size: number },
  ): void {
    const round = new Set([...resting].slice(0, size))
    this.#schedule(device, memory, { resting, round, atRoundStart: resting.size, quietSteps: 0 })
    const now = this.#ports.now()
    runDetached(this.#events, this.#sendAgain(round, now))
  }
}

/** In order. Frames of a handshake have times of their own [D-32]. */
function restingOf(state: EngineState, device: DeviceId, now: number): OutgoingRecord[] {
  return [...outgoingOf(state, device)].filter(
    (entry) =>
      entry.published &&
      entry.kind !== "init" &&
      now - publishedAt(entry) > ON_ITS_WAY_MS &&
      entry.dueAt > now,
  )
}

function seqsOf(entries: readonly OutgoingRecord[]): ReadonlySet<number> {
  return new Set(entries.map(({ seq }) => seq))
}

function entriesOf({ outgoing }: EngineState, seqs: ReadonlySet<number>): OutgoingRecord[] {
  return [...seqs].flatMap((seq) => outgoing.get(seq) ?? [])
}

function stillIn({ outgoing }: EngineState, seqs: ReadonlySet<number>): ReadonlySet<number> {
  return new Set([...seqs].filter((seq) => outgoing.has(seq)))
}

function dueNow(entries: readonly OutgoingRecord[], now: number): Decision<null> {
  const commit = entries.map((entry): Change => ({ kind: "outgoing", outgoing: { ...entry, dueAt: now } }))
  return { commit, effects: [], result: null }
}
