import { expect, test } from "vitest"

import { runSchedules } from "./schedule-runner.ts"
import { schedules, schedulesWithRollbacks } from "./schedule.ts"
import { SEED } from "./seed.ts"

/** How many happenings one schedule has at most. */
const LENGTH = 80

test(`whatever happens on the way, the law holds (seed ${SEED})`, async () => {
  expect(await runSchedules(schedules(LENGTH), SEED, 4_000)).toBeGreaterThanOrEqual(4_000)
})

test(`whatever happens, and to the disks besides, what is left of the law holds (seed ${SEED})`, async () => {
  expect(await runSchedules(schedulesWithRollbacks(LENGTH), SEED, 1_000)).toBeGreaterThanOrEqual(1_000)
})
