import { expect } from "vitest"

import type { Message } from "../../src/engine/api.ts"

/** One direction of a conversation, as each of its ends has it on disk, oldest first. */
export type Direction = {
  readonly from: string
  /** The sender's own texts. */
  readonly sent: readonly Message[]
  /** What the receiver has: the sender's texts, and system messages. */
  readonly received: readonly Message[]
  /** Texts that were reported to the sender as being on disk. */
  readonly promised: readonly string[]
}

/** What was lost when disks were put back. */
export type Forgotten = {
  /** Texts that their sender no longer knows of. */
  readonly sent: ReadonlySet<string>
  /** Texts that their receiver had acknowledged, or was about to. */
  readonly received: ReadonlySet<string>
}

const NOTHING: Forgotten = { sent: new Set(), received: new Set() }
const HAS_ARRIVED: readonly Message["state"][] = ["delivered", "read"]
const WAS_REPORTED: readonly Message["state"][] = [...HAS_ARRIVED, "given-up", "cancelled"]

/**
 * The invariants, once the faults have ended: a promised text is kept; its sender has a receipt, or a report that
 * it was given up; each arrived text was shown exactly once, and in the order of sending, unless a system message
 * announced before that texts were missing.
 */
export function expectInvariants(direction: Direction, forgotten = NOTHING): void {
  const { from, sent, received, promised } = direction
  const sentTexts = sent.map(({ text }) => text)
  const shown = received.filter(({ kind }) => kind === "text").map(({ text }) => text)
  const kept = promised.filter((text) => !forgotten.sent.has(text))
  expect(missingFrom(sentTexts, kept), `${from} was promised these, and has them no more`).toEqual([])
  expect(twice(sentTexts), `${from} has these twice`).toEqual([])
  expect(twice(shown), `these of ${from} were shown twice`).toEqual([])
  const unreported = sent.filter(({ state }) => !WAS_REPORTED.includes(state))
  expect(
    unreported.map(({ text, state }) => `${text}: ${state}`),
    `${from} was not told of these`,
  ).toEqual([])
  const arrived = sent.filter(({ state }) => HAS_ARRIVED.includes(state)).map(({ text }) => text)
  const unseen = missingFrom(shown, arrived).filter((text) => !forgotten.received.has(text))
  expect(unseen, `these of ${from} are said to have arrived`).toEqual([])
  const foreign = missingFrom(sentTexts, shown).filter((text) => !forgotten.sent.has(text))
  expect(foreign, `${from} did not say these`).toEqual([])
  if (forgotten === NOTHING) expectOrder(direction)
}

/**
 * Walks through what was shown. Each text that is skipped must have been announced by then, and may come later; texts
 * that the sender cancelled or gave up need no announcement.
 */
function expectOrder({ from, sent, received }: Direction): void {
  const arrived = sent.filter(({ state }) => HAS_ARRIVED.includes(state))
  const position = new Map(arrived.map(({ text }, index) => [text, index]))
  let next = 0
  let passedOver = 0
  let announced = 0
  for (const { kind, text } of received) {
    if (kind === "system") announced += missingIn(text)
    const at = kind === "system" ? undefined : position.get(text)
    if (at === undefined || at < next) continue
    passedOver += at - next
    next = at + 1
    const why = `${from}: "${text}" was shown before what was written earlier`
    expect(announced, why).toBeGreaterThanOrEqual(passedOver)
  }
}

/** How many texts the system message reports as missing. */
function missingIn(line: string): number {
  const [, arrived, back] =
    /(?:(\d+) messages? from .* did not arrive|cancelled (\d+) messages?)$/.exec(line) ?? []
  return Number(arrived ?? back ?? 0)
}

function missingFrom(all: readonly string[], wanted: readonly string[]): string[] {
  const there = new Set(all)
  return wanted.filter((text) => !there.has(text))
}

function twice(texts: readonly string[]): string[] {
  const seen = new Set<string>()
  return texts.filter((text) => seen.has(text) || !seen.add(text))
}
