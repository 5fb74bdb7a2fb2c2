import { Fault } from "../../errors.ts"
import { contactOf } from "../contacts/devices.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import { pendingReceipts, stepInput } from "../state/update.ts"
import { enqueueReceipts } from "./enqueue.ts"
import type { Ports } from "../state/ports.ts"
import type { DeviceId } from "../../store/ids.ts"

/**
 * Receipts for messages that arrive together are sent together; a text sent meanwhile carries them. A message that comes
 * alone is not made to wait: while each receipt left by itself, so does the next.
 */
const COALESCE_MS = 5

/** Pause before the next try after the disk was full. */
const RETRY_MS = 1_000

/** Sends the receipts that are waiting on disk. */
export type Receipts = {
  readonly schedule: (device: DeviceId) => void
  /** Resolves when those scheduled so far are in the outbox, or the disk is full; no more are sent. */
  readonly finish: () => Promise<void>
}

/** Schedules at once the receipts that an earlier process left. */
export function openReceipts(ports: Ports, queue: CommitQueue): Receipts {
  const timers = new Map<DeviceId, () => void>()
  /** The devices whose last receipts left together. */
  const together = new Set<DeviceId>()

  async function send(device: DeviceId): Promise<void> {
    timers.get(device)?.()
    timers.delete(device)
    if (pendingReceipts(queue.state(), device).length > 1) together.add(device)
    else together.delete(device)
    await queue.run((state) => {
      const decision = enqueueReceipts(state, device, stepInput(ports))
      ports.reach("receipt-decided")
      return decision
    })
    ports.reach("receipt-committed")
  }

  async function sendOrRetry(device: DeviceId): Promise<void> {
    try {
      await send(device)
    } catch (fault) {
      // They stay on disk until there is room.
      if (!(fault instanceof Fault)) throw fault
      arm(device, RETRY_MS)
    }
  }

  function arm(device: DeviceId, ms: number): void {
    timers.set(
      device,
      ports.after(ms, () => void sendOrRetry(device)),
    )
  }

  function schedule(device: DeviceId): void {
    if (timers.has(device)) return
    arm(device, (together.has(device) ? COALESCE_MS : 0) + randomDelay(device))
  }

  /** A random delay hides from an observer that a receipt answers the frame before it. */
  function randomDelay(device: DeviceId): number {
    const max = contactOf(queue.state(), device)?.receiptDelay ?? 0
    return max === 0 ? 0 : Buffer.from(ports.random(4)).readUInt32LE() % (max + 1)
  }

  async function finish(): Promise<void> {
    await Promise.all([...timers.keys()].map(sendOrRetry))
    for (const cancel of timers.values()) cancel()
  }

  for (const device of waitingDevices(queue.state())) schedule(device)
  return { schedule, finish }
}

function waitingDevices(state: EngineState): DeviceId[] {
  return state.waiting.receipts().filter((device) => pendingReceipts(state, device).length > 0)
}
