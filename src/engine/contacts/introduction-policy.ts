import { equal } from "../../crypto/bytes.ts"
import type {
  IntroductionId,
  IntroductionRecord,
  IntroductionState,
} from "../../store/introduction-record.ts"
import { DAY_MS, HOUR_MS } from "../../time-units.ts"
import type { ContactId } from "../../store/ids.ts"

/** Who is asked has a week, as with a link; the bundle of the answer is good for as long. */
const ANSWER_WITHIN_MS = 7 * DAY_MS
/** An introducer waits for both answers and for the frames between, which are repeated for 30 days. */
const INTRODUCER_WAITS_MS = 30 * DAY_MS
/** Questions of one introducer that wait for a person: more would be a flood of names. */
const OPEN_MAX = 4
/** Questions of one introducer within an hour, answered or not: each is a line in the conversation. */
const PER_HOUR = 8
/** Introductions of our own that wait for an answer, as many as offers. */
export const OWN_MAX = 32
/** What is kept of one introducer, so that a question that was refused is not put again at once, and of our own. */
const KEPT_MAX = 64

type IntroductionEvent =
  | "we ask the owner"
  | "we are asked"
  | "an owner is introduced to us"
  | "the owner agrees"
  | "we tell the initiator"
  | "we agree"
  | "the bundle is answered"
  | "we have met"
  | "we refuse"

/** The transitions of each state; an event that is not listed changes nothing [D-81]. */
export const INTRODUCTION_TRANSITIONS: Readonly<
  Record<"none" | IntroductionState, Readonly<Partial<Record<IntroductionEvent, IntroductionState>>>>
> = {
  none: {
    "we ask the owner": "asked",
    "we are asked": "asked",
    "an owner is introduced to us": "introduced",
  },
  asked: {
    "the owner agrees": "agreed",
    "we agree": "agreed",
    "we have met": "answered",
    "we refuse": "refused",
  },
  agreed: { "we tell the initiator": "introduced", "we have met": "answered" },
  introduced: {
    "the bundle is answered": "answered",
    "we have met": "answered",
    "we refuse": "refused",
  },
  answered: {},
  refused: {},
}

/** The record after the event, or undefined if the event means nothing in its state. */
export function afterEvent(
  record: IntroductionRecord,
  event: IntroductionEvent,
  changed: Partial<Pick<IntroductionRecord, "bundle">> = {},
): IntroductionRecord | undefined {
  const state = INTRODUCTION_TRANSITIONS[record.state][event]
  return state === undefined ? undefined : { ...record, ...changed, state }
}

/** When it ends by itself, unix ms. */
export function expiresAt({ role, since }: Pick<IntroductionRecord, "role" | "since">): number {
  return since + (role === "introducer" ? INTRODUCER_WAITS_MS : ANSWER_WITHIN_MS)
}

export function isExpired(record: IntroductionRecord, now: number): boolean {
  return now > expiresAt(record)
}

/** Whether a person here is to say yes or no. */
export function isQuestion({ role, state }: IntroductionRecord): boolean {
  return (role === "owner" && state === "asked") || (role === "initiator" && state === "introduced")
}

/** Whether something is still to come of it. */
export function isUnderWay(record: IntroductionRecord, now: number): boolean {
  return record.state !== "answered" && record.state !== "refused" && !isExpired(record, now)
}

/** Whether the last step of ours went to this contact, who has not answered it [D-81]. */
export function isSentTo({ role, state, contact, initiator }: IntroductionRecord, to: ContactId): boolean {
  if (role === "introducer" && state === "introduced") return initiator === to
  const sent = role === "introducer" ? "asked" : "agreed"
  return role !== "initiator" && state === sent && contact === to
}

type Asked = Pick<IntroductionRecord, "contact" | "account">

/** Whether a question may be put to the person: it is a new one, and its introducer has not asked too much [D-82]. */
export function mayAsk(known: readonly IntroductionRecord[], asked: Asked, now: number): boolean {
  const ofIntroducer = fromIntroducer(known, asked.contact)
  if (ofIntroducer.some((record) => isSame(record, asked) && !isExpired(record, now))) return false
  const open = ofIntroducer.filter((record) => isQuestion(record) && !isExpired(record, now))
  // A time in the future was written before the clock was set back.
  const recent = ofIntroducer.filter(({ since }) => since <= now && now - since < HOUR_MS)
  return open.length < OPEN_MAX && recent.length < PER_HOUR
}

/** The oldest of these that are over, so many that one more can be kept. A clock alone removes none: it may be wrong. */
export function surplus(
  records: readonly IntroductionRecord[],
  now: number,
): { readonly kind: "introduction-done"; readonly id: IntroductionId }[] {
  const over = records.filter((record) => !isUnderWay(record, now)).sort((a, b) => a.id - b.id)
  const more = Math.max(0, records.length + 1 - KEPT_MAX)
  return over.slice(0, more).map(({ id }) => ({ kind: "introduction-done", id }))
}

function fromIntroducer(
  known: readonly IntroductionRecord[],
  introducer: ContactId,
): readonly IntroductionRecord[] {
  return known.filter(({ role, contact }) => role !== "introducer" && contact === introducer)
}

function isSame(record: IntroductionRecord, asked: Asked): boolean {
  return equal(record.account, asked.account)
}
