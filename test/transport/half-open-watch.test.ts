import fc from "fast-check"
import { expect, test } from "vitest"
import { HalfOpenWatch } from "../../src/transport/half-open-watch.ts"
import { Clock } from "../engine/clock.ts"

const SECOND_MS = 1_000

/** A watch on a connection that does as it is told. */
function watched() {
  const clock = new Clock()
  const line = { isWaiting: true, written: 0 }
  const seen: { pings: number; deadAt: number | undefined } = { pings: 0, deadAt: undefined }
  const began = clock.now()
  const watch = new HalfOpenWatch({
    isWaiting: () => line.isWaiting,
    bytesWritten: () => line.written,
    ping: () => (seen.pings += 1),
    onDead: () => (seen.deadAt = clock.now() - began),
    after: clock.after,
  })
  return { clock, line, seen, watch }
}

test("[D-173] a silent connection is dead within 30 s while an answer is awaited, and asked before, whenever the last byte came", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 4 }), async (gaps) => {
      const { clock, seen, watch } = watched()
      watch.start()
      for (const gap of gaps) {
        await clock.pass(gap * SECOND_MS)
        watch.onBytes()
      }
      const lastByte = gaps.reduce((sum, gap) => sum + gap, 0) * SECOND_MS
      expect(seen.deadAt).toBeUndefined()
      await clock.pass(30 * SECOND_MS)
      expect(seen.pings).toBe(1)
      expect((seen.deadAt ?? Infinity) - lastByte).toBeLessThanOrEqual(30 * SECOND_MS)
      expect((seen.deadAt ?? 0) - lastByte).toBeGreaterThan(8 * SECOND_MS)
    }),
    { numRuns: 20 },
  )
})

test("a connection that answers stays, however long it is watched", async () => {
  const { clock, seen, watch } = watched()
  watch.start()
  for (let second = 0; second < 60; second += 6) {
    watch.onBytes()
    await clock.pass(6 * SECOND_MS)
  }
  expect(seen).toEqual({ pings: 0, deadAt: undefined })
})

test("a connection of which nothing is awaited is left alone, until something is", async () => {
  const { clock, line, seen, watch } = watched()
  watch.start()
  line.isWaiting = false
  await clock.pass(60 * SECOND_MS)
  expect(seen).toEqual({ pings: 0, deadAt: undefined })
  line.isWaiting = true
  watch.start()
  await clock.pass(30 * SECOND_MS)
  expect(seen.deadAt).toBeDefined()
})

test("a slow line has time for what is on its way out: a megabyte takes two minutes", async () => {
  const { clock, line, seen, watch } = watched()
  watch.start()
  line.written = 1024 * 1024
  await clock.pass(120 * SECOND_MS)
  expect(seen.deadAt).toBeUndefined()
  await clock.pass(60 * SECOND_MS)
  expect(seen.deadAt).toBeDefined()
})

test("a watch that is stopped does nothing more", async () => {
  const { clock, seen, watch } = watched()
  watch.start()
  watch.stop()
  await clock.pass(60 * SECOND_MS)
  expect(seen).toEqual({ pings: 0, deadAt: undefined })
})
