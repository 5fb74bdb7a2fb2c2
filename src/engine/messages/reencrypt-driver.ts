import type { CommitQueue } from "../state/commit-queue.ts"
import type { Events } from "../state/event-emitter.ts"
import { runDetached } from "../state/run-detached.ts"
import type { Ports } from "../state/ports.ts"
import { hasUnsealed } from "../state/unsealed.ts"
import { reencryptUnsent, devicesWithUnsent } from "./reencrypt.ts"
import type { DeviceId } from "../../store/ids.ts"

/** Sends the texts that a device's old session left in its new one. */
export type Reencryption = {
  readonly start: (device: DeviceId) => void
  /** Continues after an interruption; resolves when the texts are in the outbox, or it cannot continue now. */
  readonly done: (device: DeviceId) => Promise<void>
}

/** Starts at once with the texts that an earlier process left. */
export function openReencryption(ports: Ports, queue: CommitQueue, events: Events): Reencryption {
  const working = new Map<DeviceId, Promise<void>>()

  function start(device: DeviceId): void {
    const before = working.get(device) ?? Promise.resolve()
    const work = before
      .then(() => reencryptUnsent(ports, queue, device))
      .finally(() => {
        if (working.get(device) === work) working.delete(device)
      })
    working.set(device, work)
    runDetached(events, work)
  }

  async function done(device: DeviceId): Promise<void> {
    if (!working.has(device) && hasUnsealed(queue.state(), device)) start(device)
    await Promise.allSettled([working.get(device)])
  }

  for (const device of devicesWithUnsent(queue.state())) start(device)
  return { start, done }
}
