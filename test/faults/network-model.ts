import type { EngineFixture } from "../engine/engine-fixture.ts"

/** What happens to one frame between the broker and its reader. */
export type FrameFault = "pass" | "lose" | "twice" | "late" | "very late" | "tamper" | "cut"

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

/** Flips one bit, each time another one. */
export function tampered(payload: Uint8Array, frame: number): Uint8Array {
  const changed = Uint8Array.from(payload)
  const at = (frame * 37) % Math.max(1, changed.length)
  changed[at] = (changed[at] ?? 0) ^ (1 << (frame % 8))
  return changed
}
