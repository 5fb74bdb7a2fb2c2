import { afterAll, expect, test } from "vitest"

import { playThrough } from "./play.ts"
import { schedules, schedulesWithSetbacks } from "./schedule.ts"
import { SEED } from "./seed.ts"

const TEXTS = 100_000
const BATCHES = 100
/** Every fourth batch has disks that are put back. */
const SETBACKS_EVERY = 4
/** Longer than those of `npm test`: chains, windows and lists come to their ends. */
const LENGTH = 160

let texts = 0
const begun = performance.now()

afterAll(() => {
  const seconds = (performance.now() - begun) / 1_000
  const memory = Math.round(process.memoryUsage().rss / 2 ** 20)
  const rate = Math.round(texts / seconds)
  process.stdout.write(`seed ${SEED}: ${texts} texts in ${Math.round(seconds)} s, ${rate}/s, ${memory} MiB\n`)
})

test.each(Array.from({ length: BATCHES }, (_, batch) => batch))("the law holds, batch %i", async (batch) => {
  const kind = batch % SETBACKS_EVERY === 0 ? schedulesWithSetbacks : schedules
  const share = TEXTS / BATCHES
  const said = await playThrough(kind(LENGTH), SEED + batch * share, share)
  texts += said
  expect(said).toBeGreaterThanOrEqual(share)
})
