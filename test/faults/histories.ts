import { createHash } from "node:crypto"
import fc from "fast-check"

import type { Random } from "../../src/crypto/bytes.ts"
import type { HistoryEvent } from "./history-events.ts"
import { expectHealed } from "./history-oracle.ts"
import { endFaults, happen } from "./history-run.ts"
import { HistoryFixture } from "./history-fixture.ts"

/** A failing history is shrunk for at most this long. */
const SHRINKING_MS = 120_000

export type Plan = {
  readonly people: number
  readonly histories: fc.Arbitrary<readonly HistoryEvent[]>
  readonly count: number
}

/** Runs so many histories, and counts their events by kind. */
export async function runHistories(
  { people, histories, count }: Plan,
  seed: number,
): Promise<Map<string, number>> {
  const happened = new Map<string, number>()
  const property = fc.asyncProperty(histories, async (events) => {
    await runHistory(people, events)
    for (const { kind } of events) happened.set(kind, (happened.get(kind) ?? 0) + 1)
  })
  await fc.assert(property, { seed, numRuns: count, interruptAfterTimeLimit: SHRINKING_MS })
  return happened
}

export async function runHistory(people: number, events: readonly HistoryEvent[]): Promise<void> {
  const history = await HistoryFixture.open(people, randomFor(events))
  for (const event of events) await happen(history, event)
  endFaults(history)
  await expectHealed(history)
  await Promise.all(history.people.map(({ profile }) => profile.stop()))
}

/** The same history has the same keys, and so the same side with the smaller identity. */
function randomFor(events: readonly HistoryEvent[]): Random {
  const written = JSON.stringify(events)
  let drawn = 0
  return (length) =>
    new Uint8Array(createHash("shake256", { outputLength: length }).update(`${drawn++} ${written}`).digest())
}
