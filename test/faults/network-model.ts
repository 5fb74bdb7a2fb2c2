import fc from "fast-check"
import type { EngineFixture } from "../engine/engine-fixture.ts"

/** What happens to one frame between the broker and its reader. */
export type FrameFault = "pass" | "lose" | "twice" | "late" | "very late" | "tamper" | "cut"

/** For `setFrameFaults`; a third of the frames passes. */
export const someFrameFaults = fc.array(
  fc.constantFrom<FrameFault>("pass", "pass", "pass", "lose", "twice", "late", "very late", "tamper", "cut"),
  { minLength: 1, maxLength: 8 },
)

const LATE_MS = { late: 20, "very late": 20_000 } as const

/** Applies the next of these faults to each frame, in a cycle. */
export function setFrameFaults({ broker, clock }: EngineFixture, faults: readonly FrameFault[]): void {
  let frame = 0
  broker.tamper = (topic, payload) => {
    const fault = faults[frame++ % faults.length] ?? "pass"
    switch (fault) {
      case "pass":
        return [payload]
      case "lose":
        return []
      case "twice":
        return [payload, payload]
      case "late":
      case "very late":
        clock.after(LATE_MS[fault], () => broker.inject(topic, payload))
        return []
      case "tamper":
        return [tampered(payload, frame)]
      case "cut":
        return [payload.subarray(0, (payload.length * (frame % 7)) / 7)]
    }
  }
}

export function clearFrameFaults({ broker }: EngineFixture): void {
  broker.tamper = (_topic, payload) => [payload]
}

/** No one reaches the broker for so many ms. */
export async function hangUp({ broker, clock }: EngineFixture, ms: number): Promise<void> {
  broker.close()
  await clock.pass(ms)
  broker.reopen()
}

/** A restart of the broker: its sessions are still there, without what they had queued, or gone. */
export function restartForgetting({ broker }: EngineFixture, sessionPresent: boolean): void {
  broker.close()
  if (sessionPresent) broker.loseQueued()
  else broker.forgetAll()
  broker.reopen()
}

/** The broker delivers the last frames once more. */
export function replayLast({ broker }: EngineFixture, last: number): void {
  for (const { topic, payload } of broker.seen.slice(-last)) broker.inject(topic, payload)
}

/** Flips one bit, each time another one. */
export function tampered(payload: Uint8Array, frame: number): Uint8Array {
  const changed = Uint8Array.from(payload)
  const at = (frame * 37) % Math.max(1, changed.length)
  changed[at] = (changed[at] ?? 0) ^ (1 << (frame % 8))
  return changed
}
