import type { Contact, Conversation } from "../../engine/api.ts"
import { mixedScripts } from "../../wire/mixed-scripts.ts"
import { display, displayName, joined, safe, type SafeText } from "../../wire/text.ts"

/** Our own columns come first: a name that others chose cannot shift or imitate them. */
export function contactRow(contact: Contact, conversation?: Conversation): SafeText {
  const notes = [
    ...mixedScriptsNote(contact.name),
    ...(contact.unread > 0 ? [safe`${contact.unread} unread`] : []),
    ...(conversation === undefined ? [] : conversationNotes(conversation)),
    ...(contact.queued > 0 ? [safe`${contact.queued} queued`] : []),
    ...(contact.keyChangedAt !== null && !contact.verified ? [safe`compare the key`] : []),
    ...introducerNote(contact),
    ...(contact.deviceReplacedAt !== null ? [safe`goes on with another device of yours`] : []),
    ...(contact.state === "init-sent" ? [safe`has not answered yet`] : []),
    ...(isUnfinished(contact) ? [safe`has not finished the pairing`] : []),
    ...(contact.state === "recovering" ? [safe`session is being renewed`] : []),
  ]
  const row = safe`${statusOf(contact)}  ${groupDigits(contact.fingerprint)}  ${displayName(contact.name)}`
  return notes.length === 0 ? row : safe`${row}  (${joined(notes, ", ")})`
}

/** Someone's word, which a comparison replaces. */
function introducerNote({ introducedBy, verified }: Contact): readonly SafeText[] {
  return introducedBy === null || verified ? [] : [safe`introduced by ${displayName(introducedBy)}`]
}

function conversationNotes({ muted, mutedUntil, draft }: Conversation): readonly SafeText[] {
  const muting = mutedUntil === null ? safe`muted` : safe`muted until ${formatTime(mutedUntil, Date.now())}`
  return [...(muted ? [muting] : []), ...(draft === "" ? [] : [safe`draft`])]
}

/** They answered an offer, saw what we sent, and did not show their part of the words. */
function isUnfinished({ pairing, state }: Contact): boolean {
  return pairing === "unfinished" && (state === "unconfirmed" || state === "established")
}

/** A name where a decision hangs on it: mixed scripts may make it look like a name that it is not. */
export function markedName(name: string): SafeText {
  const [note] = mixedScriptsNote(name)
  return note === undefined ? displayName(name) : safe`${displayName(name)} (${note})`
}

function mixedScriptsNote(name: string): readonly SafeText[] {
  const scripts = mixedScripts(name)
  return scripts.length === 0 ? [] : [safe`mixes ${joined(scripts.map(display), " and ")} letters`]
}

/** All states in words of one width. */
function statusOf(contact: Contact): SafeText {
  if (contact.blocked) return safe`BLOCKED   `
  if (contact.keyChangedAt !== null && !contact.verified) return safe`NEW KEY   `
  return contact.verified ? safe`VERIFIED  ` : safe`UNVERIFIED`
}

/** Groups of four are compared more easily. */
export function groupDigits(hex: string): SafeText {
  return joined((hex.match(/.{1,4}/g) ?? []).map(display), " ")
}

/** `1 contact`, `2 contacts`. */
export function countOf(number: number, thing: "contact" | "message" | "user"): SafeText {
  return safe`${number} ${display(number === 1 ? thing : `${thing}s`)}`
}

/** The last one that a date can have: a contact chooses the time of what they write. */
const LAST_TIME_MS = 8.64e15

export function formatTime(ms: number, now: number): SafeText {
  const at = new Date(Math.min(ms, LAST_TIME_MS))
  const time = `${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}`
  const day = `${at.getFullYear()}-${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())}`
  return display(at.toDateString() === new Date(now).toDateString() ? time : `${day} ${time}`)
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0")
}
