import { expect } from "vitest"

import type { Message } from "../../src/engine/api.ts"
import { HOUR_MS, MINUTE_MS } from "../../src/time-units.ts"
import { historyOf, promisedTo, type Direction, type HistoryFixture, type Person } from "./history-fixture.ts"

/** The longest interval between two transmissions is an hour, and a handshake may have to be sent first. */
const HEALING_MS = 4 * HOUR_MS
/** Recoveries wait up to two hours [D-30]. */
const HEALING_AFTER_LOSS_MS = 12 * HOUR_MS

const HAS_ARRIVED: readonly Message["state"][] = ["delivered", "read"]

/** What no history that lasts less than a month explains. */
const NEVER = /NOT DELIVERED|did NOT reach|breaks too often|taken back|does not support|two programs/
/** What is said only after a clock was set. */
const CLOCK = /this machine's clock|cannot be read|cannot be renewed/
/** What is said only after a store lost something. */
const LOST = /had lost|may be missing/
/** Said where frames were lost for more than a minute. */
const GAP = /did not arrive/

/** The faults have ended: everybody heals, nothing acknowledged is lost, shown twice or out of order, and both agree. */
export async function expectHealed(history: HistoryFixture): Promise<void> {
  const hasLost = history.people.some((person) => person.hasLost)
  await history.engines.clock.pass(hasLost ? HEALING_AFTER_LOSS_MS : HEALING_MS)
  for (const { profile } of history.people) {
    const states = (await profile.client.call("contacts", {})).map(({ state }) => state)
    expect(new Set(states), `sessions of ${profile.name}`).toEqual(new Set(["established"]))
    const waiting = (await profile.client.call("outbox", {})).map(({ text, kind, reason }) => ({
      kind,
      text,
      reason,
    }))
    expect(waiting, `${profile.name} waits with these`).toEqual([])
  }
  await Promise.all(history.directions.map((direction) => history.say(direction)))
  await history.engines.clock.pass(MINUTE_MS)
  for (const direction of history.directions) await expectDelivered(direction)
  for (const person of history.people) await expectNoFalseAlarm(history, person)
}

async function expectDelivered({ from, to }: Direction): Promise<void> {
  const [own, theirs] = [await historyOf(from, to), await historyOf(to, from)]
  const why = `${from.profile.name} to ${to.profile.name}`
  const sent = new Map(own.filter(({ mine }) => mine).map((message) => [message.id, message]))
  const received = theirs.filter(({ mine, kind }) => !mine && kind === "text")
  const shown = shownTo(to, from)
  const promised = promisedTo(from, to)
  for (const one of promised) {
    const message = sent.get(one.id)
    // Its timer ran out, or its store was put back.
    if (message === undefined || from.withdrawn.has(one.id) || from.forgotten.has(one.id)) continue
    expect(HAS_ARRIVED, `${why}: state of "${one.text}"`).toContain(message.state)
    const isHere = received.some(({ id }) => id === one.id)
    // Only one with a timer may be gone; what was lost with a store comes again [D-132].
    expectKept(`${why}: "${one.text}" is there`, to, message, { isHere, wasShown: shown.includes(one.id) })
  }
  if (!to.hasLost) expect(twice(shown), `${why}: shown twice`).toEqual([])
  expect(twice(received.map(({ id }) => id)), `${why}: is there twice`).toEqual([])
  if (from.hasLost || to.hasLost) return
  expectOrder(
    why,
    // One that was cancelled may arrive after all, behind the line which says so.
    promised.filter(({ id }) => !from.withdrawn.has(id)),
    theirs,
  )
  for (const message of received) expectAgreement(why, sent.get(message.id), message)
}

function expectKept(
  why: string,
  { hasLost }: Person,
  { timerSeconds }: Message,
  { isHere, wasShown }: { readonly isHere: boolean; readonly wasShown: boolean },
): void {
  if (hasLost && timerSeconds > 0) return
  expect(isHere || (wasShown && !hasLost), why).toBe(true)
}

/** A text that comes behind a later one was announced before. */
function expectOrder(
  why: string,
  promised: readonly { id: string; order: number }[],
  theirs: readonly Message[],
): void {
  const orderOf = new Map(promised.map(({ id, order }) => [id, order]))
  let newest = -1
  let isAnnounced = false
  for (const { id, kind, text } of theirs) {
    isAnnounced ||= kind === "system" && GAP.test(text)
    const order = orderOf.get(id)
    if (order === undefined) continue
    if (!isAnnounced) expect(order, `${why}: "${text}" comes in its order`).toBeGreaterThan(newest)
    newest = Math.max(newest, order)
  }
}

function expectAgreement(why: string, own: Message | undefined, theirs: Message): void {
  if (own === undefined) return
  const said = ({ text, editedAt, deletedAt, reactions }: Message, mine: boolean) => ({
    text,
    isEdited: editedAt !== null,
    isDeleted: deletedAt !== null,
    reactions: reactions.map((one) => `${one.mine === mine ? "author" : "reader"} ${one.emoji}`).sort(),
  })
  expect(said(theirs, false), `${why}: both have the same message`).toEqual(said(own, true))
}

async function expectNoFalseAlarm({ happened }: HistoryFixture, person: Person): Promise<void> {
  const lines: string[] = []
  for (const contact of person.contacts)
    for (const { kind, text } of await historyOf(person, contact)) if (kind === "system") lines.push(text)
  const notices = person.profile.events.flatMap((event) => (event.kind === "notice" ? [event.text] : []))
  const hasLost = happened.has("put back") || happened.has("damage")
  const wrong = [...lines, ...notices].filter(
    (text) =>
      NEVER.test(text) || (CLOCK.test(text) && !happened.has("clock")) || (LOST.test(text) && !hasLost),
  )
  expect(wrong, `${person.profile.name} reads these for no reason`).toEqual([])
}

/** Ids of the texts that were announced to them. */
function shownTo({ profile }: Person, from: Person): string[] {
  return profile.events.flatMap((event) =>
    event.kind === "message" &&
    !event.message.mine &&
    event.message.kind === "text" &&
    event.message.contact === from.profile.name
      ? [event.message.id]
      : [],
  )
}

function twice(ids: readonly string[]): string[] {
  const seen = new Set<string>()
  return ids.filter((id) => seen.has(id) || !seen.add(id))
}
