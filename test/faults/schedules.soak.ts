import { afterAll, expect, test } from "vitest"

import { runSchedules } from "./schedule-runner.ts"
import { schedules, schedulesWithRollbacks } from "./schedule.ts"
import { SEED } from "./seed.ts"

const TEXTS = 100_000
const BATCHES = 100
/** Every fourth batch has disks that are put back. */
const ROLLBACKS_EVERY = 4
/** Longer than those of `npm test`, so that chains, windows and lists reach their limits. */
const LENGTH = 160

let texts = 0
const begun = performance.now()

afterAll(() => {
  const seconds = (performance.now() - begun) / 1_000
  const memory = Math.round(process.memoryUsage().rss / 2 ** 20)
  const rate = Math.round(texts / seconds)
  process.stdout.write(`seed ${SEED}: ${texts} texts in ${Math.round(seconds)} s, ${rate}/s, ${memory} MiB\n`)
})

test.each(Array.from({ length: BATCHES }, (_, batch) => batch))(
  "the invariants hold, batch %i",
  async (batch) => {
    const kind = batch % ROLLBACKS_EVERY === 0 ? schedulesWithRollbacks : schedules
    const share = TEXTS / BATCHES
    const promised = await runSchedules(kind(LENGTH), SEED + batch * share, share)
    texts += promised
    expect(promised).toBeGreaterThanOrEqual(share)
  },
)
