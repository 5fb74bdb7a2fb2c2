import type { ContactId, HeldRecord, HeldText } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { ContactUpdate } from "../state/update.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import type { HeldTexts } from "../state/text-numbers.ts"

/** More texts than this do not wait for a missing one: a peer could fill the memory with them. */
const HELD_MAX = 1024
/** ... nor texts of more characters than this together. */
const HELD_LENGTH_MAX = 4 * 1024 * 1024

const NOTHING: HeldTexts = new Map()

export function heldFrom(state: EngineState, contact: ContactId): HeldTexts {
  return state.held.get(contact) ?? NOTHING
}

/**
 * A text of theirs takes its place: it is shown with all that waited for it, or waits itself for those before it. One
 * without a number, or that comes after its gap was shown, is shown at once [D-20] [D-21].
 */
export function insertText(
  update: ContactUpdate,
  state: EngineState,
  number: number | undefined,
  text: HeldText,
): void {
  const { contact, input, textNumbers } = update
  if (number === undefined || number < textNumbers.received) {
    showText(update, text)
    return
  }
  if (textNumbers.resync) {
    resync(update, state, number)
    showText(update, text)
    return
  }
  const held = new Map(heldFrom(state, contact.id))
  if (number === textNumbers.received) {
    showText(update, text)
    update.textNumbers = { ...textNumbers, received: number + 1 }
    releaseHeld(update, held)
    return
  }
  const record: HeldRecord = { contact: contact.id, number, storedAt: input.now, text }
  held.set(number, record)
  update.changes.push({ kind: "held", held: record })
  if (isTooMuch(held)) closeGap(update, held)
}

/** What was dropped while they were blocked is no gap. */
function resync(update: ContactUpdate, state: EngineState, number: number): void {
  closeAllGaps(update, state)
  update.textNumbers = {
    ...update.textNumbers,
    received: Math.max(update.textNumbers.received, number + 1),
    resync: false,
  }
}

/** Their word that these texts will never come. */
export function applyGone(update: ContactUpdate, state: EngineState, numbers: readonly number[]): void {
  const { contact, input } = update
  const held = new Map(heldFrom(state, contact.id))
  for (const number of numbers) {
    if (number < update.textNumbers.received || held.has(number) || held.size >= HELD_MAX) continue
    const record: HeldRecord = { contact: contact.id, number, storedAt: input.now, text: undefined }
    held.set(number, record)
    update.changes.push({ kind: "held", held: record })
  }
  releaseHeld(update, held)
}

/** The gap before the first text that waits is shown as a line, and what follows it. */
export function closeGap(update: ContactUpdate, held: Map<number, HeldRecord>): void {
  const first = Math.min(...held.keys())
  if (!Number.isFinite(first)) return
  const missing = first - update.textNumbers.received
  if (missing > 0) addSystemMessage(update, `${messages(missing)} from ${update.contact.name} did not arrive`)
  update.textNumbers = { ...update.textNumbers, received: first }
  releaseHeld(update, held)
}

/** Shows everything that waits, gaps and all: their session is over, and nothing of it comes any more. */
export function closeAllGaps(update: ContactUpdate, state: EngineState): void {
  const held = new Map(heldFrom(state, update.contact.id))
  while (held.size > 0) closeGap(update, held)
}

/** Takes out of `held` what follows without a gap. */
function releaseHeld(update: ContactUpdate, held: Map<number, HeldRecord>): void {
  let { received } = update.textNumbers
  let cancelled = 0
  for (let next = held.get(received); next !== undefined; next = held.get(received)) {
    held.delete(received++)
    update.changes.push({ kind: "held-done", contact: next.contact, number: next.number })
    if (next.text === undefined) {
      cancelled++
      continue
    }
    showCancelled(update, cancelled)
    cancelled = 0
    showText(update, next.text)
  }
  showCancelled(update, cancelled)
  if (received !== update.textNumbers.received) update.textNumbers = { ...update.textNumbers, received }
}

function showCancelled(update: ContactUpdate, texts: number): void {
  if (texts > 0) addSystemMessage(update, `${update.contact.name} took back ${messages(texts)}`)
}

function showText(update: ContactUpdate, text: HeldText): void {
  const { contact, input } = update
  update.changes.push({
    kind: "message",
    message: {
      ...text,
      contact: contact.id,
      mine: false,
      kind: "text",
      storedAt: input.now,
      state: "received",
      shown: false,
      expiresAt: 0,
    },
  })
  update.effects.push({ kind: "message", contact: contact.id, mid: text.mid })
}

function messages(count: number): string {
  return count === 1 ? "1 message" : `${count} messages`
}

function isTooMuch(held: HeldTexts): boolean {
  if (held.size > HELD_MAX) return true
  let length = 0
  for (const { text } of held.values()) length += text?.text.length ?? 0
  return length > HELD_LENGTH_MAX
}
