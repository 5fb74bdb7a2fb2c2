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
import { advance, openWindow, afterSilence, type ResendWindow } from "./resend-window.ts"

/** Of a frame that was published so recently, the receipt may be under way. */
const ON_ITS_WAY_MS = 2_000
const STEP_MS = 250
/** After so many steps without a receipt, the broker has no more to bring: a second. */
const QUIET_STEPS = 4
/** A device whose frames come all the time is looked at once in this time. */
const CHECK_EVERY_MS = 1_000
/** When what was sent again brought no receipt at all: sending again does not help. */
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
  window: ResendWindow
  /** How many rested at the last step, while nothing is under way: what the broker kept is coming. */
  resting: number
  quietSteps: number
  /** Since something was sent again after silence. */
  receipts: boolean
  cancel: () => void
}

/** What is remembered of a device while it has frames that rest. */
type Memory = {
  repetition: Repetition | undefined
  checkedAt: number
  /** Not sooner: nothing came of the last try. */
  notBefore: number
  fruitless: number
}

/**
 * Notices a device that is back, by a frame of it, and sends it again what rests [D-174]: its broker may have kept only a
 * part. It waits until the receipts for that part have come, and then sends as fast as receipts come, so that neither the
 * queue of the broker overflows again nor a device makes us send without end.
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
    if (memory.repetition !== undefined) this.#onReceipts(device, memory, memory.repetition)
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
    const resting = restingOf(this.#queue.state(), device, this.#ports.now()).map(({ seq }) => seq)
    if (resting.length === 0) return
    const window = openWindow(resting)
    const cancel = (): void => undefined
    const begun: Repetition = { window, resting: resting.length, quietSteps: 0, receipts: false, cancel }
    this.#schedule(device, memory, begun)
  }

  #schedule(device: DeviceId, memory: Memory, repetition: Repetition): void {
    repetition.cancel = this.#ports.after(STEP_MS, () => this.#onStep(device, memory, repetition))
    memory.repetition = repetition
  }

  /** A frame of the device may have brought receipts for what is under way. */
  #onReceipts(device: DeviceId, memory: Memory, repetition: Repetition): void {
    const before = repetition.window.underWay.size
    if (before === 0) return
    const { window, send } = advance(repetition.window, this.#isOut)
    if (send.length === 0 && window.underWay.size === before) return
    Object.assign(repetition, { window, quietSteps: 0, receipts: true })
    memory.fruitless = 0
    this.#sendAgain(send)
    if (window.underWay.size === 0) this.#end(device, memory, repetition)
  }

  #onStep(device: DeviceId, memory: Memory, repetition: Repetition): void {
    const { window } = repetition
    const isListening = window.underWay.size === 0
    const resting = isListening ? window.resting.filter(this.#isOut).length : repetition.resting
    repetition.quietSteps = resting < repetition.resting ? 0 : repetition.quietSteps + 1
    repetition.resting = resting
    if (resting === 0) this.#end(device, memory, repetition)
    else if (repetition.quietSteps < QUIET_STEPS) this.#schedule(device, memory, repetition)
    else if (isListening || repetition.receipts) this.#onSilence(device, memory, repetition)
    else this.#pause(memory)
  }

  #onSilence(device: DeviceId, memory: Memory, repetition: Repetition): void {
    const { window, send } = afterSilence(repetition.window, this.#isOut)
    Object.assign(repetition, { window, quietSteps: 0, receipts: false })
    this.#sendAgain(send)
    this.#schedule(device, memory, repetition)
  }

  #end(device: DeviceId, memory: Memory, repetition: Repetition): void {
    repetition.cancel()
    memory.repetition = undefined
    this.#begin(device, memory)
  }

  #pause(memory: Memory): void {
    const { first, longest } = FRUITLESS_MS
    memory.repetition = undefined
    memory.notBefore = this.#ports.now() + Math.min(longest, first * 2 ** memory.fruitless)
    memory.fruitless += 1
  }

  #sendAgain(seqs: readonly number[]): void {
    if (seqs.length === 0) return
    const now = this.#ports.now()
    const run = async (): Promise<void> => {
      await this.#queue.run((state) => dueNow(entriesOf(state, seqs), now))
    }
    runDetached(this.#events, run())
  }

  readonly #isOut = (seq: number): boolean => this.#queue.state().outgoing.has(seq)
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

function entriesOf({ outgoing }: EngineState, seqs: readonly number[]): OutgoingRecord[] {
  return seqs.flatMap((seq) => outgoing.get(seq) ?? [])
}

function dueNow(entries: readonly OutgoingRecord[], now: number): Decision<null> {
  const commit = entries.map((entry): Change => ({ kind: "outgoing", outgoing: { ...entry, dueAt: now } }))
  return { commit, effects: [], result: null }
}
