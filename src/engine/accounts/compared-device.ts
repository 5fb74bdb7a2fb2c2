import type { ContactRecord, DeviceRecord } from "../../store/records.ts"
import { devicesOf } from "../contacts/devices.ts"
import { hasNoWords, wordsWith } from "../contacts/words.ts"
import type { EngineState } from "../state/engine-state.ts"
import { isUnfinished, shownBy } from "../contacts/shown-account.ts"

/**
 * The device whose words two people compare: the one with the newest handshake that has any [D-74]. What is shown and
 * what a comparison settles come from here, so that they are the same.
 */
export function comparedDevice(state: EngineState, { id }: ContactRecord): DeviceRecord | undefined {
  const begunAt = (device: DeviceRecord) => shownBy(state, device.id)?.at ?? 0
  return devicesOf(state, id)
    .filter((device) => !hasNoWords(device) && !isUnfinished(state, device.id))
    .sort((a, b) => begunAt(a) - begunAt(b))
    .at(-1)
}

/** The words that are shown for a contact, or none. */
export function wordsToCompare(state: EngineState, contact: ContactRecord): string[] {
  const device = comparedDevice(state, contact)
  return device === undefined ? [] : wordsWith(device)
}
