import type { HeldRecord, HeldText } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { DeviceUpdate } from "../state/update.ts"
import type { HeldTexts } from "../state/text-numbers.ts"
import { closeAllGaps, closeGap, heldFrom, releaseHeld, showText } from "../contacts/held-texts.ts"

/** At most this many texts wait for a missing one: a peer could fill the memory with more. */
const HELD_MAX = 1024
/** ... and they have at most this many characters together. */
const HELD_LENGTH_MAX = 4 * 1024 * 1024

/**
 * Puts a text of theirs in order: it is shown with all that waited for it, or waits for those before it. One
 * without a number, or after its gap was shown, is shown at once [D-20] [D-21].
 */
export function insertText(
  update: DeviceUpdate,
  state: EngineState,
  number: number | undefined,
  text: HeldText,
): void {
  const { device, input, textNumbers } = update
  if (number === undefined || number < textNumbers.received) {
    showText(update, text)
    return
  }
  if (textNumbers.resync) {
    resync(update, state, number)
    showText(update, text)
    return
  }
  const held = new Map(heldFrom(state, device.id))
  if (number === textNumbers.received) {
    showText(update, text)
    update.textNumbers = { ...textNumbers, received: number + 1 }
    releaseHeld(update, held)
    return
  }
  const record: HeldRecord = { device: device.id, number, storedAt: input.now, text }
  held.set(number, record)
  update.changes.push({ kind: "held", held: record })
  if (isTooMuch(held)) closeGap(update, held)
}

/** Texts that were dropped while they were blocked are not a gap. */
function resync(update: DeviceUpdate, state: EngineState, number: number): void {
  closeAllGaps(update, state)
  update.textNumbers = {
    ...update.textNumbers,
    received: Math.max(update.textNumbers.received, number + 1),
    resync: false,
  }
}

/** The peer reports that these texts will never come. */
export function applyGone(update: DeviceUpdate, state: EngineState, numbers: readonly number[]): void {
  const { device, input } = update
  const held = new Map(heldFrom(state, device.id))
  for (const number of numbers) {
    if (number < update.textNumbers.received || held.has(number) || held.size >= HELD_MAX) continue
    const record: HeldRecord = { device: device.id, number, storedAt: input.now, text: undefined }
    held.set(number, record)
    update.changes.push({ kind: "held", held: record })
  }
  releaseHeld(update, held)
}

function isTooMuch(held: HeldTexts): boolean {
  if (held.size > HELD_MAX) return true
  let length = 0
  for (const { text } of held.values()) length += text?.text.length ?? 0
  return length > HELD_LENGTH_MAX
}
