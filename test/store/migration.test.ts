import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { Database } from "../../src/store/database.ts"
import { nodeFiles } from "../../src/store/files.ts"
import { openStore } from "../../src/store/store.ts"
import * as tables from "../../src/store/tables.ts"
import { freshPath } from "./store-fixture.ts"

const key = new Uint8Array(32).fill(7)

function copyOf(frozen: string): string {
  const path = freshPath()
  copyFileSync(join(import.meta.dirname, "../vectors", frozen), path)
  return path
}

/** The tables as the newest version has them, in a file that was made by it or by an earlier one. */
async function migrated(path: string): Promise<Database> {
  await (await openStore(path, new Uint8Array(key))).close()
  const database = await Database.open(path, new Uint8Array(key), nodeFiles)
  onTestFinished(() => database.close())
  return database
}

const of = (byte: number, length: number) => new Uint8Array(length).fill(byte)

test("a store of the first version opens with all that it held, and again after that", async () => {
  const path = copyOf("store-version-1.db")
  for (let time = 0; time < 2; time++) {
    const store = await openStore(path, new Uint8Array(key))
    const { contacts, outgoing, settings, held } = await store.load()
    expect(contacts).toMatchObject([{ name: "Bob", verified: true, timer: 0, movedAt: 0, changedAt: 0 }])
    expect(outgoing).toMatchObject([
      { seq: 3, kind: "text", attempts: 2, carries: { mid: new Uint8Array(16).fill(11), number: -1 } },
      { seq: 4, kind: "passing", carries: undefined },
    ])
    expect([...settings.keys(), ...held]).toEqual(["clock"])
    expect(await store.history(1, { limit: 10 })).toMatchObject([
      { seq: 1, kind: "text", text: "did you get the letter", mine: true, state: "broker" },
      { seq: 2, kind: "text", text: "which letter", mine: false, shown: false },
    ])
    expect((await store.search("letter", { limit: 10 })).map(({ seq }) => seq)).toEqual([2, 1])
    expect(await store.isWhole()).toBe(true)
    await store.close()
  }
})

test("what the third version kept as settings of a contact is in tables, and nothing of a forgotten one", async () => {
  const path = copyOf("store-version-3.db")
  const time = 1_764_000_001_000
  for (let round = 0; round < 2; round++) {
    const store = await openStore(path, new Uint8Array(key))
    const { contacts, devices, settings, outgoing, held } = await store.load()
    expect(contacts).toMatchObject([
      { name: "Bob", verified: true, receiptDelay: 250, nextRecoverySecret: of(31, 32) },
      { name: "Carol", verified: false, receiptDelay: 250, nextRecoverySecret: of(0, 0) },
    ])
    expect(devices.get(1)).toEqual({
      textNumbers: { sent: 7, received: 8, resync: true },
      pendingReceipts: { mids: [of(21, 8), of(22, 8)] },
      replayCache: { owed: [of(23, 8), of(24, 8)], passing: [of(25, 8)] },
      unsentTexts: { session: of(26, 32) },
      supersededSession: { since: time, inbox: of(27, 32), snapshot: of(28, 400) },
      acceptedInits: { mids: [of(29, 16), of(30, 16)] },
      recovery: {
        unmatched: 2,
        startedAt: [time + 1, time + 2],
        lostInit: { mid: of(32, 16), at: time + 3 },
      },
    })
    expect(devices.get(2)).toEqual({ recovery: { unmatched: 0, startedAt: [time], lostInit: undefined } })
    expect([...devices.keys()]).toEqual([1, 2])
    expect([...settings.keys()]).toEqual(["pairing", "replaced"])
    expect(outgoing).toMatchObject([{ seq: 5, carries: { mid: of(11, 16), number: 6 } }])
    expect(held).toEqual([{ contact: 1, number: 9, storedAt: time, text: undefined }])
    expect(await store.isWhole()).toBe(true)
    await store.close()
  }
})

test("a migrated store has the tables of a new one, and each has the columns that we read and write", async () => {
  const columns = (database: Database) =>
    database.select(
      (row) => [row.text(0), row.text(1), row.text(2), row.number(3), row.number(4)].join(" "),
      `SELECT t.name, c.name, c.type, c."notnull", c.pk FROM pragma_table_list t, pragma_table_xinfo(t.name) c
       WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.name`,
    )
  const fresh = await migrated(freshPath())
  expect(columns(await migrated(copyOf("store-version-1.db")))).toEqual(columns(fresh))
  expect(columns(await migrated(copyOf("store-version-3.db")))).toEqual(columns(fresh))
  const { DEVICE_TABLES, ...others } = tables
  const ours = [...Object.values(others), ...Object.values(DEVICE_TABLES)].flatMap((each) =>
    typeof each === "object" ? each.columns.map((column) => `${each.name} ${column}`) : [],
  )
  const theirs = columns(fresh).map((row) => row.split(" ").slice(0, 2).join(" "))
  expect([...new Set(ours)].sort()).toEqual(theirs)
})

test("every row that names a contact goes with it", async () => {
  const database = await migrated(freshPath())
  const named = database.select(
    (row) => row.text(0),
    `SELECT t.name FROM pragma_table_list t, pragma_table_info(t.name) c
     WHERE t.type = 'table' AND c.name = 'contact' ORDER BY t.name`,
  )
  const cascading = database.select(
    (row) => row.text(0),
    `SELECT t.name FROM pragma_table_list t, pragma_foreign_key_list(t.name) f
     WHERE t.type = 'table' AND f."table" = 'contacts' AND f.on_delete = 'CASCADE' ORDER BY t.name`,
  )
  expect(cascading).toEqual(named)
  expect(named.length).toBeGreaterThan(10)
})
