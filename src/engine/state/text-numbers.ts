import type { TextNumbers } from "../../store/device-parts.ts"
import type { HeldRecord } from "../../store/records.ts"
import { LIST_MAX } from "../../wire/frame.ts"
import type { Change } from "./decision.ts"
import type { EngineState } from "./engine-state.ts"
import type { DeviceId } from "../../store/ids.ts"

/** The highest number of the wire [W-28]. */
export const NUMBER_MAX = 0xffff_ffff

export const NO_TEXTS: TextNumbers = { sent: 0, received: 0 }

/** The waiting texts, by number. */
export type HeldTexts = ReadonlyMap<number, HeldRecord>

export function readTextNumbers(state: EngineState, device: DeviceId): TextNumbers {
  return state.deviceParts.get(device)?.textNumbers ?? NO_TEXTS
}

/** A peer may give a text the highest number of the wire, which has no successor. */
export function textNumbersChange(device: DeviceId, { sent, received }: TextNumbers): Change {
  const value = { sent, received: Math.min(received, NUMBER_MAX) }
  return { kind: "device-part", device, part: "textNumbers", value }
}

/** The missing numbers that others wait for, as many as one frame can name. */
export function missingNumbers({ received }: TextNumbers, held: HeldTexts): number[] {
  const last = Math.max(...held.keys())
  const missing: number[] = []
  for (let number = received; number < last && missing.length < LIST_MAX; number++) {
    if (!held.has(number)) missing.push(number)
  }
  return missing
}
