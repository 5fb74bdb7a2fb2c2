import { expect, test } from "vitest"

import { runHistories, runHistory } from "./histories.ts"
import { histories, ROLLBACKS, type HistoryEvent } from "./history-events.ts"

/** `npm run test:soak` draws its own, and runs for as long as it is told. */
const SEED = 202
const LENGTH = 30

test.each([
  ["two people", 2, 5, ROLLBACKS],
  ["two people, and stores that are put back or damaged", 2, 5, []],
  ["four people", 4, 2, []],
] as const)(
  `after any faults all heal, nothing is lost or shown twice, and no one is alarmed: %s (seed ${SEED})`,
  async (_who, people, count, without) => {
    const happened = await runHistories({ people, histories: histories(LENGTH, without), count }, SEED)
    expect(happened.get("say")).toBeGreaterThan(0)
  },
)

/** The smallest of seed 301: texts are being stored by one side when the other's new session reaches it. */
const RESET_WHILE_STORING: readonly HistoryEvent[] = [
  { kind: "say", who: 0, to: 0, count: 1 },
  { kind: "pass", ms: 0 },
  { kind: "say", who: 10, to: 18, count: 8 },
  { kind: "change", who: 3, to: 14, what: "react", nth: 8 },
  { kind: "act", who: 0, to: 10, what: "reset" },
]

test("[W-72] [D-132] texts that are being stored when a new session begins are not called lost", async () => {
  await runHistory(2, RESET_WHILE_STORING)
})
