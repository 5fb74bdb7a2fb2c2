import type { HeldRecord, HeldText } from "../../store/records.ts"
import type { Frame } from "../../wire/frame.ts"
import type { EngineState } from "../state/engine-state.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import type { DeviceUpdate } from "../state/update.ts"
import type { HeldTexts } from "../state/text-numbers.ts"
import { closeOldestGaps, heldFrom, releaseHeld, showText } from "../contacts/held-texts.ts"
import { isActive, isOfBlockedTime } from "../contacts/left-out.ts"
import { requestFirst } from "./gap-requests.ts"

/** At most this many texts wait for a missing one: a peer could fill the memory with more. */
const HELD_MAX = 1024
/** ... and they have at most this many characters together. */
const HELD_LENGTH_MAX = 4 * 1024 * 1024

/**
 * Puts a text of theirs in order: it is shown with all that waited for it, or waits for those before it. One whose gap
 * was shown before, or whose number another one has, is shown at once [D-20] [D-21].
 */
export function insertText(update: DeviceUpdate, state: EngineState, number: number, text: HeldText): void {
  if (isUsed(update, state, number)) {
    if (!isUnfinished(state, update.device.id)) showText(update, text)
    return
  }
  hold(update, state, { number, gone: undefined, text })
}

/** The message with this number changed nothing that is shown in its order. */
export function passNumber(update: DeviceUpdate, state: EngineState, number: number): void {
  if (!isUsed(update, state, number)) hold(update, state, { number, gone: undefined, text: undefined })
}

/** A text that was announced to be gone may come after all. */
function isUsed({ device, textNumbers }: DeviceUpdate, state: EngineState, number: number): boolean {
  const known = heldFrom(state, device.id).get(number)
  return number < textNumbers.received || (known !== undefined && !known.gone)
}

function hold(
  update: DeviceUpdate,
  state: EngineState,
  { number, ...rest }: Pick<HeldRecord, "number" | "gone" | "text">,
): void {
  const { device, input, textNumbers } = update
  const held = new Map(heldFrom(state, device.id))
  // No one sees a text before the account of its device is verified [D-71].
  const isUnseen = isUnfinished(state, device.id)
  if (number === textNumbers.received && !isUnseen) {
    if (rest.text !== undefined) showText(update, rest.text)
    update.textNumbers = { ...textNumbers, received: number + 1 }
    releaseHeld(update, held)
    return
  }
  const record: HeldRecord = { device: device.id, number, storedAt: input.now, ...rest }
  held.set(number, record)
  update.changes.push({ kind: "held", held: record })
  // What is missing was written while its author was blocked, and their repeats come by the hour.
  if (held.size === 1 && isActive(update.leftOut) && !isUnseen) requestFirst(update, state, number)
  if (!isTooMuch(held)) return
  if (isUnseen) update.ended = "sent too much before their account was verified"
  // Half of them, so that this is not done again with the next one.
  else closeOldestGaps(update, state, held, held.size >> 1)
}

/** The peer reports that these texts will never come. */
export function applyGone(
  update: DeviceUpdate,
  state: EngineState,
  { reason, numbers }: Extract<Frame, { kind: "gone" }>,
): void {
  const { device, input } = update
  const before = heldFrom(state, device.id)
  const held = new Map(before)
  for (const number of numbers) {
    if (number < update.textNumbers.received || held.has(number) || held.size >= HELD_MAX) continue
    const gone = isOfBlockedTime(update, number) ? undefined : reason
    held.set(number, { device: device.id, number, storedAt: input.now, gone, text: undefined })
  }
  if (!isUnfinished(state, device.id)) releaseHeld(update, held, before)
  for (const [number, record] of held) {
    if (!before.has(number)) update.changes.push({ kind: "held", held: record })
  }
}

function isTooMuch(held: HeldTexts): boolean {
  if (held.size > HELD_MAX) return true
  let length = 0
  for (const { text } of held.values()) length += text?.text.length ?? 0
  return length > HELD_LENGTH_MAX
}
