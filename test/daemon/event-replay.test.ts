import * as fc from "fast-check"
import { expect, test } from "vitest"

import { replayEvents, type EventSource } from "../../src/daemon/event-replay.ts"
import { Fault } from "../../src/errors.ts"

type Logged = { readonly number: number }

/** A log whose events are announced some turns after they are in it, as an engine does. */
class FakeLog implements EventSource {
  readonly #events: Logged[] = []
  readonly #listeners = new Set<(event: unknown) => void>()
  readonly #page: number
  #last = 0

  constructor(page: number) {
    this.#page = page
  }

  /** The numbers that are skipped stand for events whose message has disappeared. */
  async add(gap: number, turns: number): Promise<void> {
    this.#last += 1 + gap
    const event = { number: this.#last }
    this.#events.push(event)
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    this.announce(event)
  }

  announce(event: object): void {
    for (const listener of this.#listeners) listener(event)
  }

  numbersAfter(since: number): number[] {
    return this.#events.map(({ number }) => number).filter((number) => number > since)
  }

  readonly read: EventSource["read"] = async (since) => {
    const events = this.#events.filter(({ number }) => number > since).slice(0, this.#page)
    const number = events.at(-1)?.number ?? Math.max(since, this.#last)
    await Promise.resolve()
    return { events, number }
  }

  readonly listen: EventSource["listen"] = (onEvent) => {
    this.#listeners.add(onEvent)
    return () => this.#listeners.delete(onEvent)
  }
}

const addition = fc.record({ gap: fc.nat(2), turns: fc.nat(4), pause: fc.nat(6) })

test("whatever comes while the log is read, each event is given once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(addition, { maxLength: 20 }),
      fc.array(addition, { maxLength: 20 }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(15),
      async (before, during, page, since) => {
        const log = new FakeLog(page)
        for (const { gap } of before) await log.add(gap, 0)
        const given: number[] = []
        const { caughtUp } = replayEvents(log, since, async (event) => {
          given.push((event as Logged).number)
          await Promise.resolve()
        })
        // One queue, as the engine has: an event is announced before the next one is in the log.
        for (const { gap, turns, pause } of during) {
          for (let turn = 0; turn < pause; turn++) await Promise.resolve()
          await log.add(gap, turns)
        }
        await caughtUp
        expect(given).toEqual(log.numbersAfter(since))
      },
    ),
  )
})

test("an event without a number is given at once, also while the log is read", async () => {
  const log = new FakeLog(10)
  await log.add(0, 0)
  const given: unknown[] = []
  const { caughtUp } = replayEvents(log, 0, (event) => void given.push(event))
  log.announce({ kind: "notice" })
  await caughtUp
  expect(given).toEqual([{ kind: "notice" }, { number: 1 }])
})

test("after its fault, or when it is stopped, a replay gives nothing more", async () => {
  const log = new FakeLog(10)
  const given: unknown[] = []
  const tooOld = new Fault("not-found", "no longer kept")
  const failed = replayEvents({ listen: log.listen, read: () => Promise.reject(tooOld) }, 0, (event) => {
    given.push(event)
  })
  await expect(failed.caughtUp).rejects.toBe(tooOld)
  const stopped = replayEvents(log, 0, (event) => void given.push(event))
  stopped.stop()
  await stopped.caughtUp
  await log.add(0, 0)
  log.announce({ kind: "notice" })
  expect(given).toEqual([])
})
