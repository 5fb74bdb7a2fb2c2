import fc from "fast-check"
import { expect, test } from "vitest"

import { play } from "./play.ts"
import { schedules, schedulesWithSetbacks } from "./schedule.ts"

const seed = Number(process.env["MQTTCHAT_FAULT_SEED"] ?? Date.now() % 2 ** 31)

test(`law ${seed}`, async () => {
  let n = 0
  const t = performance.now()
  await fc.assert(
    fc.asyncProperty(schedules(80), async (happenings) => {
      n += await play(happenings)
    }),
    {
      seed,
      numRuns: Number(process.env["RUNS"] ?? 3),
      endOnFailure: process.env["NOSHRINK"] === "1",
      interruptAfterTimeLimit: Number(process.env["LIMIT"] ?? 100_000),
    },
  )
  console.log(n, performance.now() - t)
  expect(n).toBeGreaterThan(10)
}, 600_000)
test(`setbacks ${seed}`, async () => {
  let n = 0
  await fc.assert(
    fc.asyncProperty(schedulesWithSetbacks(80), async (happenings) => {
      n += await play(happenings)
    }),
    {
      seed,
      numRuns: Number(process.env["RUNS"] ?? 3),
      endOnFailure: process.env["NOSHRINK"] === "1",
      interruptAfterTimeLimit: Number(process.env["LIMIT"] ?? 100_000),
    },
  )
}, 600_000)
