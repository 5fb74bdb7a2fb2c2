import type { Event, Message } from "../../engine/api.ts"
import {
  display,
  displayName,
  displayRow,
  displayStart,
  joined,
  safe,
  type SafeText,
} from "../../wire/text.ts"
import { EARLIER_MARGIN, QUOTE_MARGIN, REACTION_MARGIN } from "./ascii.ts"
import { formatTime } from "./format.ts"

/** Enough to know a message again, and with the longest name on one row of 80 columns. */
const QUOTE_CELLS = 36

/** Words for the states of our own messages; `received` is for the other side's and needs none. */
const STATE: Record<Message["state"], SafeText> = {
  queued: safe`queued`,
  broker: safe`sent`,
  delivered: safe`delivered`,
  read: safe`read`,
  "given-up": safe`NOT DELIVERED`,
  cancelled: safe`cancelled`,
  received: safe``,
}

/** Whether the earlier texts of an edited message are shown. */
type RowOptions = { readonly edits?: boolean | undefined }

/**
 * `21:19 bob: no hurry` or `21:20 me (delivered): ok`; a date comes first if it was another day. Below it stand what it
 * answers and the reactions.
 */
export function messageRow(message: Message, now: number, options: RowOptions = {}): SafeText {
  const who = message.mine ? me(message, safe``) : senderName(message)
  return rowOf(message, { who, now, ...options })
}

/** As above, for rows of several conversations. */
export function searchRow(message: Message, now: number, options: RowOptions = {}): SafeText {
  if (!message.mine) return messageRow(message, now, options)
  const who = me(message, safe` to ${displayName(message.contact)}`)
  return rowOf(message, { who, now, ...options })
}

function rowOf(
  message: Message,
  { who, now, edits = false }: RowOptions & { readonly who: SafeText; readonly now: number },
): SafeText {
  const time = formatTime(message.storedAt, now)
  if (message.kind === "system") return safe`${time} -- ${display(message.text)} --`
  if (message.deletedAt !== null) return safe`${time} -- ${deletedText(message)} --`
  const notes = [
    ...(edits ? message.previous.map((earlier) => earlierRow(earlier, now)) : []),
    ...quoteRows(message),
    ...reactionRows(message),
  ]
  return joined([safe`${time} ${who}: ${display(message.text)}`, ...notes], "\n")
}

/** It has the form of a system message, which no text can take. */
function deletedText({ mine, contact }: Message): SafeText {
  return mine ? safe`you deleted a message` : safe`${displayName(contact)} deleted a message`
}

export type ChangedEvent = Extract<Event, { kind: "changed" }>

/** What became of a message, as it comes: the new text, or a row like that of a system message. */
export function changeRow({ change, message }: ChangedEvent, now: number): SafeText {
  if (change === "edited" && message.deletedAt === null) return messageRow(message, now)
  const what =
    message.deletedAt === null
      ? reactionText(message)
      : safe`${deletedText(message)} of ${formatTime(message.storedAt, now)}`
  return safe`${formatTime(now, now)} -- ${what} --`
}

/** As the message is now: of several changes in a row the last one counts. */
function reactionText(message: Message): SafeText {
  const text = displayStart(message.text, QUOTE_CELLS)
  return message.reactions.length === 0
    ? safe`no reaction any more to: ${text}`
    : safe`${reactionsOf(message)} to: ${text}`
}

function me({ state, editedAt }: Message, to: SafeText): SafeText {
  return safe`me${to} (${STATE[state]}${editedAt === null ? safe`` : safe`, edited`})`
}

/** A new key that was not compared may belong to anyone. */
function senderName({ contact, trusted, editedAt }: Message): SafeText {
  const notes = [...(trusted ? [] : [safe`KEY NOT COMPARED`]), ...(editedAt === null ? [] : [safe`edited`])]
  return notes.length === 0 ? displayName(contact) : safe`${displayName(contact)} (${joined(notes, ", ")})`
}

function earlierRow({ text, sentAt }: Message["previous"][number], now: number): SafeText {
  return safe`${EARLIER_MARGIN}${formatTime(sentAt, now)} ${displayRow(text)}`
}

/** Our own words come before those of others, which could imitate them. */
function quoteRows({ contact, replyTo }: Message): readonly SafeText[] {
  if (replyTo === null) return []
  if (replyTo.text === null) return [safe`${QUOTE_MARGIN}(a message that is not here)`]
  const who = replyTo.mine ? safe`me` : displayName(contact)
  const note = replyTo.changed ? safe`(another text was answered) ` : safe``
  return [safe`${QUOTE_MARGIN}${note}${who}: ${displayStart(replyTo.text, QUOTE_CELLS)}`]
}

function reactionRows(message: Message): readonly SafeText[] {
  return message.reactions.length === 0 ? [] : [safe`${REACTION_MARGIN}${reactionsOf(message)}`]
}

/** `👍 bob, 👍 me`. */
function reactionsOf({ contact, reactions }: Message): SafeText {
  const rows = reactions.map(
    ({ emoji, mine }) => safe`${displayRow(emoji)} ${mine ? safe`me` : displayName(contact)}`,
  )
  return joined(rows, ", ")
}
