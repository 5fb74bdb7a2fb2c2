import { expect, test } from "vitest"

import { runSchedules } from "./schedule-runner.ts"
import { schedules, schedulesWithRollbacks } from "./schedule.ts"
import { SEED } from "./seed.ts"

/** How many happenings one schedule has at most. */
const LENGTH = 80
/** `npm run test:soak` plays a hundred times as many. */
const TEXTS = 1_000
const TEXTS_WITH_SETBACKS = 250

test(`whatever happens on the way, the law holds (seed ${SEED})`, async () => {
  expect(await runSchedules(schedules(LENGTH), SEED, TEXTS)).toBeGreaterThanOrEqual(TEXTS)
})

test(`whatever happens, and to the disks besides, what is left of the law holds (seed ${SEED})`, async () => {
  const said = await runSchedules(schedulesWithRollbacks(LENGTH), SEED, TEXTS_WITH_SETBACKS)
  expect(said).toBeGreaterThanOrEqual(TEXTS_WITH_SETBACKS)
})
