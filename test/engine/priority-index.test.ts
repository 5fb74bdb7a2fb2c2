import * as fc from "fast-check"
import { expect, test } from "vitest"

import { PriorityIndex } from "../../src/engine/state/priority-index.ts"

const key = fc.nat({ max: 20 })
const priority = fc.nat({ max: 12 })
const steps = fc.array(fc.tuple(key, fc.option(priority, { nil: undefined })), { maxLength: 60 })

function run(index: PriorityIndex<number>, model: Map<number, number>, all: [number, number | undefined][]) {
  for (const [each, at] of all) {
    if (at === undefined) {
      index.delete(each)
      model.delete(each)
    } else {
      index.set(each, at)
      model.set(each, at)
    }
  }
}

function sorted(model: Map<number, number>): number[] {
  return [...model].sort(([a, first], [b, second]) => first - second || a - b).map(([each]) => each)
}

test("whatever is set and deleted, the keys come in the order of their priorities", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const [index, model] = [new PriorityIndex<number>(), new Map<number, number>()]
      run(index, model, all)
      expect([...index.ascending()]).toEqual(sorted(model))
      expect(index.size).toBe(model.size)
      expect(index.lowest).toBe(Math.min(Infinity, ...model.values()))
    }),
  )
})

test("a limit divides the keys", () => {
  fc.assert(
    fc.property(steps, priority, (all, limit) => {
      const [index, model] = [new PriorityIndex<number>(), new Map<number, number>()]
      run(index, model, all)
      const below = [...model].filter(([, at]) => at <= limit).map(([each]) => each)
      const over = [...model.values()].filter((at) => at > limit)
      expect(index.upTo(limit).sort((a, b) => a - b)).toEqual(below.sort((a, b) => a - b))
      expect(index.lowestOver(limit)).toBe(Math.min(Infinity, ...over))
    }),
  )
})

test("a copy does not change with what it was made from", () => {
  fc.assert(
    fc.property(steps, steps, (all, later) => {
      const [index, model] = [new PriorityIndex<number>(), new Map<number, number>()]
      run(index, model, all)
      const copy = new PriorityIndex(index)
      run(index, new Map(model), later)
      expect([...copy.ascending()]).toEqual(sorted(model))
    }),
  )
})
