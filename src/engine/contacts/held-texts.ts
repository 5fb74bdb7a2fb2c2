import type { GoneReason } from "../../wire/frame.ts"
import type { HeldRecord, HeldText } from "../../store/records.ts"
import type { Change } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { HeldTexts } from "../state/text-numbers.ts"
import type { DeviceUpdate } from "../state/update.ts"
import { isOfBlockedTime, missingAfterUnblock, noteLeftOut } from "./left-out.ts"
import { isUnfinished } from "./shown-account.ts"
import { addSystemMessage, makeSystemMessage } from "./system-messages.ts"
import type { DeviceId } from "../../store/ids.ts"

const NOTHING: HeldTexts = new Map()

/** Texts of the device that wait for earlier ones, by number. */
export function heldFrom(state: EngineState, device: DeviceId): HeldTexts {
  return state.held.get(device) ?? NOTHING
}

/** Shows the gap before the first held text as a system message, then the texts that follow it. */
export function closeGap(update: DeviceUpdate, state: EngineState, held: Map<number, HeldRecord>): void {
  const first = Math.min(...held.keys())
  if (!Number.isFinite(first)) return
  const missing = missingAfterUnblock(update, first)
  if (first - update.textNumbers.received > missing) noteLeftOut(state, update)
  if (missing > 0) addSystemMessage(update, `${messages(missing)} from ${update.contact.name} did not arrive`)
  update.textNumbers = { ...update.textNumbers, received: first }
  releaseHeld(update, held)
}

/** Shows the oldest held texts until only `kept` are left, after one line for all that is missing among them. */
export function closeOldestGaps(
  update: DeviceUpdate,
  state: EngineState,
  held: Map<number, HeldRecord>,
  kept: number,
): void {
  const oldest = [...held.keys()].sort((a, b) => a - b).slice(0, Math.max(held.size - kept, 1))
  const last = oldest.at(-1)
  if (last === undefined) return
  const afterUnblock = oldest.filter((number) => !isOfBlockedTime(update, number)).length
  const missing = missingAfterUnblock(update, last + 1) - afterUnblock
  if (last + 1 - update.textNumbers.received - oldest.length > missing) noteLeftOut(state, update)
  if (missing > 0) addSystemMessage(update, `${messages(missing)} from ${update.contact.name} did not arrive`)
  for (const number of oldest) {
    if (!held.has(number)) continue
    update.textNumbers = { ...update.textNumbers, received: number }
    releaseHeld(update, held)
  }
}

/** For texts of a session whose account was never verified [D-71]. */
export function dropHeld(held: HeldTexts): Change[] {
  return [...held.values()].map(({ device, number }) => ({ kind: "held-done", device, number }))
}

/**
 * Shows all held texts, with their gaps: the session is over and nothing more of it will come. Those of an unfinished
 * handshake go unseen [D-71].
 */
export function closeAllGaps(update: DeviceUpdate, state: EngineState): void {
  const { id } = update.device
  const held = new Map(heldFrom(state, id))
  if (isUnfinished(state, id)) update.changes.push(...dropHeld(held))
  else while (held.size > 0) closeGap(update, state, held)
}

/** Shows the held texts that follow without a gap, and removes them from `held`; on the disk are those in `stored`. */
export function releaseHeld(
  update: DeviceUpdate,
  held: Map<number, HeldRecord>,
  stored: HeldTexts = held,
): void {
  let { received } = update.textNumbers
  let run: Run = NO_RUN
  for (let next = held.get(received); next !== undefined; next = held.get(received)) {
    if (stored.has(next.number))
      update.changes.push({ kind: "held-done", device: next.device, number: next.number })
    held.delete(received++)
    if (next.text === undefined && next.gone === undefined) continue
    if (next.gone !== run.reason) {
      showGone(update, run)
      run = { reason: next.gone, texts: 0 }
    }
    if (next.text === undefined) run = { reason: next.gone, texts: run.texts + 1 }
    else showText(update, next.text)
  }
  showGone(update, run)
  if (received !== update.textNumbers.received) update.textNumbers = { ...update.textNumbers, received }
}

/** Texts one after the other that will never come, for one reason. */
type Run = { readonly reason: GoneReason | undefined; readonly texts: number }
const NO_RUN: Run = { reason: undefined, texts: 0 }

/** What a person took back, what was given up and what was lost are three things for the receiver, too [D-142]. */
function showGone(update: DeviceUpdate, { reason, texts }: Run): void {
  const { name } = update.contact
  if (reason === "cancelled") addSystemMessage(update, `${name} cancelled ${messages(texts)}`)
  else if (reason === "given-up")
    addSystemMessage(
      update,
      `${messages(texts)} from ${name} did not reach you in 30 days, and ${texts === 1 ? "was" : "were"} given up`,
    )
  else if (reason === "not-held") addSystemMessage(update, `${messages(texts)} from ${name} did not arrive`)
}

/** Unless it is known: then it was shown before, or another text was under its id [W-52]. */
export function showText(update: DeviceUpdate, text: HeldText): void {
  const { contact, conversation, input } = update
  const why = `${contact.name} sent another text under the id of an earlier one; it is not shown`
  update.changes.push({
    kind: "message",
    ifReused: makeSystemMessage(conversation.id, why, input).change.message,
    message: {
      conversation: conversation.id,
      author: contact.id,
      kind: "text",
      storedAt: input.now,
      state: "received",
      shown: false,
      expiresAt: 0,
      ...text,
    },
  })
  update.effects.push({
    kind: "message",
    conversation: conversation.id,
    author: contact.id,
    id: text.id,
  })
}

function messages(count: number): string {
  return count === 1 ? "1 message" : `${count} messages`
}
