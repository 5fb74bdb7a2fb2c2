import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type Journal, openJournal } from "../../src/broker/queues/journal.ts"
import { decodeRecord, encodeRecord, type JournalRecord } from "../../src/broker/queues/journal-record.ts"
import { Queues } from "../../src/broker/queues/queues.ts"

const name = fc.string({ maxLength: 40, unit: "grapheme-ascii" })
const natural = fc.nat(Number.MAX_SAFE_INTEGER)
const anyRecord: fc.Arbitrary<JournalRecord> = fc.oneof(
  fc.record({ kind: fc.constant("subscribed" as const), session: name, filter: name, qos: fc.nat(1) }),
  fc.record({ kind: fc.constant("unsubscribed" as const), session: name, filter: name }),
  fc.record({ kind: fc.constant("forgotten" as const), session: name }),
  fc.record({
    kind: fc.constant("queued" as const),
    session: name,
    sequence: natural,
    at: natural,
    topic: name,
    payload: fc.uint8Array({ maxLength: 300 }),
  }),
  fc.record({ kind: fc.constant("settled" as const), session: name, sequence: natural }),
  fc.record({ kind: fc.constant("seen" as const), session: name, at: natural }),
)

describe("the broker's journal", () => {
  let folder: string
  let path: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "mqttchat-journal-"))
    path = join(folder, "journal")
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** Opens it and returns the records it holds; a state that keeps everything is its own snapshot. */
  async function reopen(): Promise<{ journal: Journal; records: JournalRecord[] }> {
    const records: JournalRecord[] = []
    const journal = await openJournal(path, {
      apply: (record) => records.push(record),
      snapshot: () => records,
    })
    return { journal, records }
  }

  function queued(sequence: number): JournalRecord {
    return {
      kind: "queued",
      session: "bob",
      sequence,
      at: 1,
      topic: "t",
      payload: new Uint8Array([sequence]),
    }
  }

  test("any record reads back unchanged, and has one encoding only", () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        expect(decodeRecord(encodeRecord(record))).toEqual(record)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const record = decodeRecord(bytes)
        if (record !== undefined) expect(encodeRecord(record)).toEqual(bytes)
      }),
    )
  })

  test("gives back all that was committed, in order, after any number of openings", async () => {
    const expected: JournalRecord[] = []
    for (let opening = 0; opening < 3; opening++) {
      const { journal, records } = await reopen()
      expect(records).toEqual(expected)
      const fresh = Array.from({ length: 50 }, (_, i) => queued(opening * 50 + i))
      await Promise.all(fresh.map((record) => journal.commit(record)))
      expected.push(...fresh)
      await journal.close()
    }
  })

  test("truncated anywhere, it gives back the whole records before the cut, and takes new ones", async () => {
    const { journal } = await reopen()
    await Promise.all([1, 2, 3].map((n) => journal.commit(queued(n))))
    await journal.close()
    const whole = readFileSync(path)
    const recordBytes = (whole.length - 26) / 3
    for (let length = 26; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length))
      const torn = await reopen()
      const kept = Math.floor((length - 26) / recordBytes)
      expect(torn.records).toEqual([1, 2, 3].slice(0, kept).map(queued))
      await torn.journal.commit(queued(9))
      await torn.journal.close()
      const after = await reopen()
      expect(after.records.at(-1)).toEqual(queued(9))
      await after.journal.close()
    }
  })

  test("garbage after the last record, and a flipped bit, end the replay there", async () => {
    const { journal } = await reopen()
    await Promise.all([1, 2, 3].map((n) => journal.commit(queued(n))))
    await journal.close()
    const whole = readFileSync(path)
    appendFileSync(path, Buffer.alloc(100, 0xff))
    const first = await reopen()
    expect(first.records).toEqual([1, 2, 3].map(queued))
    await first.journal.close()
    const flipped = Buffer.from(whole)
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1
    writeFileSync(path, flipped)
    const second = await reopen()
    expect(second.records).toEqual([1, 2].map(queued))
    await second.journal.close()
  })

  test("can be read by its owner only", async () => {
    const { journal } = await reopen()
    await journal.close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test("a file that is not a journal is refused and left unchanged", async () => {
    writeFileSync(path, "SQLite format 3\u0000 and so on, not ours")
    await expect(reopen()).rejects.toMatchObject({ code: "damaged-database" })
    expect(readFileSync(path, "utf8")).toContain("SQLite format 3")
    truncateSync(path, 3)
    await expect(reopen()).rejects.toMatchObject({ code: "damaged-database" })
  })

  test("a path that cannot be written is reported by its kind of error", async () => {
    path = join(folder, "no", "such", "folder", "journal")
    await expect(reopen()).rejects.toMatchObject({ code: "io" })
  })

  describe("that has grown", () => {
    const LARGE = 64 * 1024
    /** Above this it is rewritten. */
    const REWRITE_BYTES = 16 * 1024 * 1024
    /** Somewhat more than that. */
    const MANY = 300
    /** The bytes around a payload, and those of its acknowledgement. */
    const AROUND = 512

    async function open(at: string): Promise<{ journal: Journal; queues: Queues }> {
      const queues = new Queues("registrar")
      const journal = await openJournal(at, {
        apply: (record) => queues.apply(record),
        snapshot: () => queues.snapshot(),
      })
      return { journal, queues }
    }

    function large(sequence: number): JournalRecord {
      return { ...queued(sequence), payload: new Uint8Array(LARGE).fill(sequence) } as JournalRecord
    }

    /** What a broker would find after a crash: the files are copied as they are now. */
    async function afterCrash(): Promise<number[]> {
      const copy = join(folder, "copy")
      copyFileSync(path, copy)
      const { journal, queues } = await open(copy)
      await journal.close()
      return [...queues.snapshot()].flatMap((record) => (record.kind === "queued" ? [record.sequence] : []))
    }

    test("is rewritten while it is in use, loses nothing at any moment, and takes new records", async () => {
      const { journal, queues } = await open(path)
      await journal.commit({ kind: "subscribed", session: "bob", filter: "f", qos: 1 })
      const acknowledged = new Set<number>()
      let moments = 0
      let begun: number | undefined
      let last = 0
      for (let sequence = 1; journal.stats().rewrites === 0; sequence++) {
        await journal.commit(large(sequence))
        last = sequence
        if (journal.stats().bytes > REWRITE_BYTES) begun ??= sequence
        acknowledged.add(sequence)
        if (sequence > 3) {
          journal.append({ kind: "settled", session: "bob", sequence: sequence - 3 })
          acknowledged.delete(sequence - 3)
        }
        if (sequence < MANY - 50 || sequence % 5 > 0) continue
        moments += 1
        const found = await afterCrash()
        expect([...acknowledged].filter((each) => !found.includes(each))).toEqual([])
        // No caller waited for these acknowledgements, so they may be lost: a few messages come twice.
        expect(found.length).toBeLessThanOrEqual(acknowledged.size + 2)
        expect(sequence).toBeLessThan(10 * MANY)
      }
      expect(moments).toBeGreaterThan(1)
      // The messages not yet acknowledged when the rewrite began, and all that were committed since.
      const kept = 4 + last - (begun ?? 0)
      expect(begun).toBeGreaterThan(200)
      expect(statSync(path).size).toBeLessThan((kept + 1) * (LARGE + AROUND))
      expect(statSync(path).size).toBe(journal.stats().bytes)
      expect(existsSync(`${path}.new`)).toBe(false)
      await journal.commit(large(100_000))
      await journal.close()
      const again = await open(path)
      expect([...again.queues.snapshot()]).toEqual([...queues.snapshot()])
      await again.journal.close()
    })

    test("stays as it is if it cannot be rewritten, and goes on", async () => {
      const { journal } = await open(path)
      await journal.commit({ kind: "subscribed", session: "bob", filter: "f", qos: 1 })
      mkdirSync(`${path}.new`)
      for (let sequence = 1; sequence <= MANY; sequence++) await journal.commit(large(sequence))
      await journal.settled()
      await journal.commit(large(MANY + 1))
      expect(journal.stats()).toMatchObject({ rewrites: 0 })
      await journal.close()
      rmSync(`${path}.new`, { recursive: true })
      expect(await afterCrash()).toHaveLength(MANY + 1)
    })
  })
})
