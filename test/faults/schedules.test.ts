import { expect, test } from "vitest"

import { runSchedules } from "./schedule-runner.ts"
import { schedules, schedulesWithRollbacks } from "./schedule.ts"
import { SEED } from "./seed.ts"

/** The most events of one schedule. */
const LENGTH = 80
/** `npm run test:soak` plays a hundred times as many. */
const TEXTS = 1_000
const TEXTS_WITH_SETBACKS = 250

test(`with any faults of the network, the invariants hold (seed ${SEED})`, async () => {
  expect(await runSchedules(schedules(LENGTH), SEED, TEXTS)).toBeGreaterThanOrEqual(TEXTS)
})

test(`with faults of the network and disks put back, the weaker invariants hold (seed ${SEED})`, async () => {
  const said = await runSchedules(schedulesWithRollbacks(LENGTH), SEED, TEXTS_WITH_SETBACKS)
  expect(said).toBeGreaterThanOrEqual(TEXTS_WITH_SETBACKS)
})
