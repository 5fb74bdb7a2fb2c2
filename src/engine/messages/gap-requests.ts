import { Fault } from "../../errors.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import { noChange, type Decision } from "../state/decision.ts"
import { sealAndEnqueue } from "../state/outgoing.ts"
import { LIST_MAX } from "../../wire/frame.ts"
import { stepInput, updateFor, toDecision, type DeviceUpdate, type StepInput } from "../state/update.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import { missingNumbers, NUMBER_MAX, readTextNumbers, type HeldTexts } from "../state/text-numbers.ts"
import { enqueuePassing } from "./enqueue.ts"
import type { BrokerConnection } from "../connection/broker-connection.ts"
import type { Ports } from "../state/ports.ts"
import { closeGap, heldFrom } from "../contacts/held-texts.ts"
import type { DeviceId } from "../../store/ids.ts"

/** A missing text is requested after these times, in ms: it may just be late, and a request may also get lost. */
const REQUEST_AFTER_MS = [1_000, 5_000, 15_000, 30_000] as const
/** How long a gap stays open after the last request. */
const LAST_WAIT_MS = 10_000
/** The sum of these: after a wait this long in an earlier process, the missing text is requested only once more. */
const WAITED_MS = 61_000

/** Requests the texts that others wait for, and shows the gap if they do not arrive. */
export type GapRequests = {
  /** Call after each commit that may have opened or closed a gap. */
  readonly watch: (device: DeviceId) => void
  /** Call when all that the broker had is here: texts that have waited long enough are shown. */
  readonly closeOld: () => Promise<void>
}

type Watch = { received: number; requests: number; cancel: () => void }

export function openGapRequests(ports: Ports, queue: CommitQueue, broker: BrokerConnection): GapRequests {
  const watches = new Map<DeviceId, Watch>()

  function watch(device: DeviceId): void {
    const held = waitingFrom(queue.state(), device)
    const known = watches.get(device)
    if (held.size === 0) {
      known?.cancel()
      watches.delete(device)
      return
    }
    const { received } = readTextNumbers(queue.state(), device)
    if (known?.received === received) return
    known?.cancel()
    const requests = isOld(held, ports.now()) ? REQUEST_AFTER_MS.length - 1 : 0
    arm(device, { received, requests, cancel: () => undefined })
  }

  function arm(device: DeviceId, pending: Watch): void {
    const ms = REQUEST_AFTER_MS[pending.requests] ?? LAST_WAIT_MS
    pending.cancel = ports.after(ms, () => void retry(device, pending))
    watches.set(device, pending)
  }

  async function retry(device: DeviceId, pending: Watch): Promise<void> {
    try {
      if (broker.status().kind === "online") await requestOrClose(device, pending)
    } catch (fault) {
      // The disk is full; the next timer tries again.
      if (!(fault instanceof Fault)) throw fault
    }
    if (watches.get(device) !== pending) return
    watches.delete(device)
    if (waitingFrom(queue.state(), device).size === 0) return
    const { received } = readTextNumbers(queue.state(), device)
    if (received === pending.received) arm(device, pending)
    else watch(device)
  }

  async function requestOrClose(device: DeviceId, pending: Watch): Promise<void> {
    const input = stepInput(ports)
    if (pending.requests < REQUEST_AFTER_MS.length) {
      pending.requests++
      await queue.run((state) => request(state, device, input))
    } else {
      await queue.run((state) => close(state, device, input))
    }
  }

  async function closeOld(): Promise<void> {
    const input = stepInput(ports)
    for (const device of queue.state().held.keys()) {
      if (!isOld(waitingFrom(queue.state(), device), input.now)) continue
      await queue.run((state) => close(state, device, input))
      watch(device)
    }
  }

  for (const device of queue.state().held.keys()) watch(device)
  return { watch, closeOld }
}

/** Of an unfinished handshake nothing is shown, so nothing is requested: its texts wait for the account [D-71]. */
function waitingFrom(state: EngineState, device: DeviceId): HeldTexts {
  return isUnfinished(state, device) ? new Map() : heldFrom(state, device)
}

function request(state: EngineState, device: DeviceId, input: StepInput): Decision<boolean> {
  const numbers = missingNumbers(readTextNumbers(state, device), waitingFrom(state, device))
  if (numbers.length === 0) return noChange(false)
  return enqueuePassing(state, device, { kind: "again", numbers }, input)
}

/**
 * What the peer still has is published at once, and not by the hour: it was repeated while no one listened. Numbers that
 * it has not used are no request [D-22].
 */
export function requestFirst(update: DeviceUpdate, state: EngineState, before = NUMBER_MAX + 1): void {
  const held = heldFrom(state, update.device.id)
  const { received } = update.textNumbers
  const next = Array.from({ length: LIST_MAX }, (_, at) => received + at)
  const numbers = next.filter((number) => number < before && !held.has(number))
  if (numbers.length > 0) sealAndEnqueue(update, { kind: "passing", frames: [{ kind: "again", numbers }] })
}

function close(state: EngineState, device: DeviceId, input: StepInput): Decision<null> {
  const update = updateFor(state, device, input)
  if (update === undefined) return noChange(null)
  const held = new Map(waitingFrom(state, device))
  // There may be more gaps after the first; all were requested together.
  do closeGap(update, state, held)
  while (isOld(held, input.now))
  return toDecision(state, update, null)
}

/** By the clock, which may have been set in either direction. */
function isOld(held: HeldTexts, now: number): boolean {
  return [...held.values()].some(({ storedAt }) => Math.abs(now - storedAt) >= WAITED_MS)
}
