import { copyFileSync, mkdirSync, readFileSync } from "node:fs"
import { dirname } from "node:path"
import fc from "fast-check"
import { beforeAll, expect, test } from "vitest"
import { Database } from "../../src/store/database.ts"
import { nodeFiles } from "../../src/store/files.ts"
import { HEADER_BYTES, PAGE_BYTES, scanLog } from "../../src/store/log-scan.ts"
import { freshPath } from "./store-fixture.ts"

const FRAME_BYTES = 24 + PAGE_BYTES
const key = new Uint8Array(32).fill(7)
let log = new Uint8Array()
/** Where each commit ends. */
const ends: number[] = []

/** A log of 24 commits of one to a few frames each. */
beforeAll(async () => {
  const path = freshPath()
  const database = await Database.open(path, key, nodeFiles)
  database.execute("CREATE TABLE texts (text TEXT)")
  for (let number = 0; number < 24; number++) {
    const text = "x".repeat((number % 7) * 900)
    database.run("INSERT INTO texts VALUES (?)", text)
  }
  log = new Uint8Array(readFileSync(`${path}-wal`))
  database.close()
  for (let at = HEADER_BYTES; at < log.length; at += FRAME_BYTES)
    if (new DataView(log.buffer).getUint32(at + 4) !== 0) ends.push(at + FRAME_BYTES)
})

function endBefore(at: number): number {
  return ends.findLast((end) => end <= at) ?? 0
}

function changed(at: number, change: (byte: number) => number): Uint8Array {
  const bytes = new Uint8Array(log)
  bytes[at] = change(bytes[at] ?? 0)
  return bytes
}

test("a log that is whole, or empty, is whole", () => {
  expect(ends.length).toBeGreaterThan(20)
  expect(scanLog(log)).toEqual({ kind: "whole" })
  expect(scanLog(new Uint8Array())).toEqual({ kind: "whole" })
})

test("a log that ends anywhere is not damaged: what remains of a commit behind the last whole one is cut off", () => {
  fc.assert(
    fc.property(fc.nat(log.length), (length) => {
      const end = length < HEADER_BYTES ? 0 : endBefore(length)
      const isRest = length - Math.max(end, HEADER_BYTES) >= FRAME_BYTES
      expect(scanLog(log.subarray(0, length))).toEqual(isRest ? { kind: "torn", end } : { kind: "whole" })
    }),
  )
})

test("a last commit of which any pages were not written is a torn end, whatever lies there instead", () => {
  const [start = 0, end = 0] = ends.slice(-2)
  const frames = (end - start) / FRAME_BYTES
  const older = log.subarray(HEADER_BYTES)
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("written", "zeros", "older", "half"), {
        minLength: frames,
        maxLength: frames,
      }),
      (pages) => {
        const bytes = new Uint8Array(log)
        for (const [number, page] of pages.entries()) {
          const at = start + number * FRAME_BYTES
          if (page === "zeros") bytes.fill(0, at, at + FRAME_BYTES)
          if (page === "half") bytes.fill(0, at + 500, at + FRAME_BYTES)
          // Of a log before this one: other salts.
          if (page === "older") bytes.set(older.subarray(0, FRAME_BYTES), at)
          if (page === "older") bytes.fill(1, at + 8, at + 16)
        }
        expect(scanLog(bytes).kind).not.toBe("damaged")
      },
    ),
  )
})

test("a bit that is flipped anywhere before the last commit is damage, and the commits before it are whole", () => {
  const last = ends.at(-2) ?? 0
  fc.assert(
    fc.property(fc.nat(last - 1), fc.nat(7), (at, bit) => {
      const end = at < HEADER_BYTES ? 0 : endBefore(at)
      expect(scanLog(changed(at, (byte) => byte ^ (1 << bit)))).toEqual({ kind: "damaged", end })
    }),
    { numRuns: 2_000 },
  )
})

test("each bit of the heads of two frames, one of them the end of a commit, is told", () => {
  const end = ends.at(-2) ?? 0
  for (const frame of [end - FRAME_BYTES, end - 2 * FRAME_BYTES]) {
    for (let bit = 0; bit < 24 * 8; bit++)
      expect(scanLog(changed(frame + (bit >> 3), (byte) => byte ^ (1 << (bit & 7)))).kind, `${bit}`).toBe(
        "damaged",
      )
  }
})

test("a sector of zeros, or several changed bytes, before the last commit is damage", () => {
  const last = ends.at(-3) ?? 0
  fc.assert(
    fc.property(fc.nat(last - 1), fc.integer({ min: 1, max: 4096 }), (at, length) => {
      const bytes = new Uint8Array(log)
      bytes.fill(0, at, Math.min(at + length, last))
      fc.pre(Buffer.compare(bytes, log) !== 0)
      expect(scanLog(bytes).kind).toBe("damaged")
    }),
  )
})

test("commits of an earlier log behind the present one are no damage", async () => {
  const path = freshPath()
  const database = await Database.open(path, key, nodeFiles)
  database.execute("CREATE TABLE texts (text TEXT)")
  for (let number = 0; number < 9; number++) database.run("INSERT INTO texts VALUES (?)", "x")
  database.run("PRAGMA wal_checkpoint(RESTART)")
  for (let number = 0; number < 2; number++) database.run("INSERT INTO texts VALUES (?)", "y")
  const copy = freshPath()
  mkdirSync(dirname(copy), { recursive: true })
  copyFileSync(`${path}-wal`, copy)
  database.close()
  expect(scanLog(readFileSync(copy))).toEqual({ kind: "whole" })
})
