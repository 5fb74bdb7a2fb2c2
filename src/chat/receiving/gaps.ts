import { Fault } from "../../errors.ts"
import type { ContactId } from "../../store/records.ts"
import { noChange, type Decision } from "../decision.ts"
import { draftFor, settle, type Moment } from "../draft.ts"
import type { Book } from "../book.ts"
import type { Journal } from "../journal.ts"
import { missingNumbers, readOrder, type Held } from "./order.ts"
import { writePassing } from "../sending/outbound.ts"
import type { Ports } from "../ports.ts"
import { closeGap, heldFrom } from "./placing.ts"

/** What is missing is asked for after these times, in ms: it may only be late, and a request may get lost as well. */
const ASK_AFTER_MS = [1_000, 5_000, 15_000, 30_000] as const
/** After the last request nobody waits for longer. */
const LAST_WAIT_MS = 10_000
/** All of that together: a text that has waited for so long in an earlier process is asked for but once more. */
const WAITED_MS = 61_000

/** Asks for texts that keep others waiting, and shows the gap when they do not come. */
export type Gaps = {
  /** After each commit that may have opened or closed a gap. */
  readonly watch: (contact: ContactId) => void
  /** All that the broker had is here: whatever has waited long enough is shown. */
  readonly closeOld: () => Promise<void>
}

type Watch = { heard: number; asked: number; cancel: () => void }

export type GapsSource = {
  readonly ports: Ports
  readonly journal: Journal
  readonly isOnline: () => boolean
  /** Something was put into the outbox. */
  readonly onAsked: () => void
}

export function openGaps({ ports, journal, isOnline, onAsked }: GapsSource): Gaps {
  const watches = new Map<ContactId, Watch>()

  function watch(contact: ContactId): void {
    const held = heldFrom(journal.book(), contact)
    const known = watches.get(contact)
    if (held.size === 0) {
      known?.cancel()
      watches.delete(contact)
      return
    }
    const { heard } = readOrder(journal.book().settings, contact)
    if (known?.heard === heard) return
    known?.cancel()
    const asked = isOld(held, ports.now()) ? ASK_AFTER_MS.length - 1 : 0
    arm(contact, { heard, asked, cancel: () => undefined })
  }

  function arm(contact: ContactId, state: Watch): void {
    const ms = ASK_AFTER_MS[state.asked] ?? LAST_WAIT_MS
    state.cancel = ports.after(ms, () => void goOn(contact, state))
    watches.set(contact, state)
  }

  async function goOn(contact: ContactId, state: Watch): Promise<void> {
    try {
      if (isOnline()) await askOrClose(contact, state)
    } catch (fault) {
      // The disk is full; there is another time.
      if (!(fault instanceof Fault)) throw fault
    }
    if (watches.get(contact) !== state) return
    watches.delete(contact)
    if (heldFrom(journal.book(), contact).size === 0) return
    const { heard } = readOrder(journal.book().settings, contact)
    if (heard === state.heard) arm(contact, state)
    else watch(contact)
  }

  async function askOrClose(contact: ContactId, state: Watch): Promise<void> {
    const moment = { now: ports.now(), random: ports.random }
    if (state.asked < ASK_AFTER_MS.length) {
      state.asked++
      await journal.run((book) => ask(book, contact, moment))
      onAsked()
    } else {
      await journal.run((book) => close(book, contact, moment))
    }
  }

  async function closeOld(): Promise<void> {
    const moment = { now: ports.now(), random: ports.random }
    for (const contact of journal.book().held.keys()) {
      if (!isOld(heldFrom(journal.book(), contact), moment.now)) continue
      await journal.run((book) => close(book, contact, moment))
      watch(contact)
    }
  }

  for (const contact of journal.book().held.keys()) watch(contact)
  return { watch, closeOld }
}

function ask(book: Book, contact: ContactId, moment: Moment): Decision<boolean> {
  const numbers = missingNumbers(readOrder(book.settings, contact), heldFrom(book, contact))
  if (numbers.length === 0) return noChange(false)
  return writePassing(book, contact, { kind: "again", numbers }, moment)
}

function close(book: Book, contact: ContactId, moment: Moment): Decision<null> {
  const draft = draftFor(book, contact, moment)
  if (draft === undefined) return noChange(null)
  const held = new Map(heldFrom(book, contact))
  // Behind one gap there may be others, which were asked for together.
  do closeGap(draft, held)
  while (isOld(held, moment.now))
  return settle(book, draft, null)
}

/** By the clock, which may have been set meanwhile in either direction. */
function isOld(held: Held, now: number): boolean {
  return [...held.values()].some(({ storedAt }) => Math.abs(now - storedAt) >= WAITED_MS)
}
