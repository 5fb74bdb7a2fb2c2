import { expect, test } from "vitest"
import { LazyMap } from "../../src/engine/state/lazy-map.ts"

/** A table on a disk, and how often it was looked into. */
function tableOf(entries: readonly (readonly [number, string])[]) {
  const disk = new Map(entries)
  const asked: number[] = []
  const get = (key: number): string | undefined => {
    asked.push(key)
    return disk.get(key)
  }
  return { disk, asked, rows: { get, all: () => disk } }
}

test("a row is read once, for the state on the disk and for the one ahead of it", () => {
  const { rows, asked } = tableOf([[1, "bob"]])
  const state = new LazyMap(rows)
  const ahead = state.copy()
  expect([ahead.get(1), state.get(1), ahead.get(1)]).toEqual(["bob", "bob", "bob"])
  expect(asked).toEqual([1])
})

test("what the one ahead has read before its commit is what the other one still has after it", () => {
  const { rows, disk } = tableOf([[1, "bob"]])
  const state = new LazyMap(rows)
  const ahead = state.copy()
  ahead.get(1)
  ahead.set(1, "robert")
  disk.set(1, "robert")
  expect(state.get(1)).toBe("bob")
  state.set(1, "robert")
  expect([...state]).toEqual([[1, "robert"]])
})

test("what is not there is not remembered, whoever asks for it", () => {
  const { rows, asked } = tableOf([])
  const state = new LazyMap(rows)
  for (let n = 0; n < 3; n++) expect(state.has(7)).toBe(false)
  expect(asked).toEqual([7, 7, 7])
  expect(state.size).toBe(0)
})

test("what was deleted ahead stays deleted while the disk still has it, and leaves nothing behind", () => {
  const { rows, disk, asked } = tableOf([
    [1, "bob"],
    [2, "carol"],
  ])
  const state = new LazyMap(rows)
  const ahead = state.copy()
  ahead.delete(1)
  expect([ahead.get(1), [...ahead.keys()], state.get(1)]).toEqual([undefined, [2], "bob"])
  disk.delete(1)
  state.delete(1)
  expect([state.size, ahead.size, [...state.values()]]).toEqual([1, 1, ["carol"]])
  expect(asked).not.toContain(2)
})

test("all are given by rising key, changed ones in their place and new ones last", () => {
  const { rows } = tableOf([
    [1, "bob"],
    [2, "carol"],
    [3, "dave"],
  ])
  const state = new LazyMap(rows)
  state.set(4, "erin")
  state.set(2, "caroline")
  expect([...state.values()]).toEqual(["bob", "caroline", "dave", "erin"])
})
