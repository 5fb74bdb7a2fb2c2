import { copyFileSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { Database } from "../../src/store/database.ts"
import { nodeFiles } from "../../src/store/files.ts"
import { openStore } from "../../src/store/store.ts"
import { SUPERSEDED_KEYS } from "../../src/store/superseded-keys.ts"
import { INTRODUCTIONS } from "../../src/store/introduction-record.ts"
import * as tables from "../../src/store/tables.ts"
import { freshPath } from "./store-fixture.ts"

const key = new Uint8Array(32).fill(7)

async function openTables(path: string): Promise<Database> {
  const database = await Database.open(path, new Uint8Array(key), nodeFiles)
  onTestFinished(() => database.close())
  return database
}

/** The tables of a new store. */
async function freshTables(): Promise<Database> {
  const path = freshPath()
  await (await openStore(path, new Uint8Array(key))).close()
  return openTables(path)
}

test("a store of the first version, with a contact in it, is refused and left as it is", async () => {
  const path = freshPath()
  copyFileSync(join(import.meta.dirname, "../vectors/store-version-1.db"), path)
  const before = readFileSync(path)
  const opening = openStore(path, new Uint8Array(key))
  await expect(opening).rejects.toMatchObject({
    code: "config",
    message: `the message store ${path} was written by an earlier version, and this one cannot read it`,
    hint: "mqttchat init --new-database, which sets it aside and keeps your identity",
  })
  expect(readFileSync(path).equals(before)).toBe(true)
})

test.each([
  [9, "an earlier version, and this one cannot read it"],
  [12, "a later version"],
])("a store of version %i is refused as written by %s", async (version, which) => {
  const path = freshPath()
  await (await openStore(path, new Uint8Array(key))).close()
  const database = await Database.open(path, new Uint8Array(key), nodeFiles)
  database.execute(`PRAGMA user_version = ${version}`)
  database.close()
  const message = `the message store ${path} was written by ${which}`
  await expect(openStore(path, new Uint8Array(key))).rejects.toMatchObject({ code: "config", message })
})

const indexesOf = (database: Database): string[] =>
  database.select((row) => row.text(0), "SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name")

/** A store as it was before these indices were thought of, and the names of all that one has now. */
async function withoutIndexes(): Promise<{ readonly path: string; readonly all: readonly string[] }> {
  const path = freshPath()
  await (await openStore(path, new Uint8Array(key))).close()
  const database = await Database.open(path, new Uint8Array(key), nodeFiles)
  const all = indexesOf(database)
  database.execute("DROP INDEX received_frames_by_time; DROP INDEX known_ids_by_time")
  database.close()
  return { path, all }
}

test("a store from before an index was thought of gets it when it is opened", async () => {
  const { path, all } = await withoutIndexes()
  await (await openStore(path, new Uint8Array(key))).close()
  expect(indexesOf(await openTables(path))).toEqual(all)
})

test("such a store can be read while the disk is full", async () => {
  const { path, all } = await withoutIndexes()
  const write = (): never => {
    throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" })
  }
  const store = await openStore(path, new Uint8Array(key), { ...nodeFiles, write })
  expect((await store.load()).contacts).toEqual([])
  await store.close()
  expect(indexesOf(await openTables(path)).length).toBeLessThan(all.length)
})

test("a new store has a table for each record, with the columns that we read and write", async () => {
  const theirs = (await freshTables()).select(
    (row) => `${row.text(0)} ${row.text(1)}`,
    `SELECT t.name, c.name FROM pragma_table_list t, pragma_table_xinfo(t.name) c
     WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.name`,
  )
  const { DEVICE_TABLES, ...others } = { ...tables, INTRODUCTIONS, SUPERSEDED_KEYS }
  const ours = [...Object.values(others), ...Object.values(DEVICE_TABLES)].flatMap((each) =>
    typeof each === "object" ? each.columns.map((column) => `${each.name} ${column}`) : [],
  )
  expect([...new Set(ours)].sort()).toEqual(theirs)
})

test.each([
  ["contact", "contacts", 3],
  ["conversation", "conversations", 3],
  ["device", "devices", 10],
])("every row that names a %s goes with it", async (column, noun, least) => {
  const database = await freshTables()
  const named = database.select(
    (row) => row.text(0),
    `SELECT t.name FROM pragma_table_list t, pragma_table_info(t.name) c
     WHERE t.type = 'table' AND c.name = ? ORDER BY t.name`,
    column,
  )
  const cascading = database.select(
    (row) => row.text(0),
    `SELECT t.name FROM pragma_table_list t, pragma_foreign_key_list(t.name) f
     WHERE t.type = 'table' AND f."table" = ? AND f.on_delete = 'CASCADE' ORDER BY t.name`,
    noun,
  )
  // Messages and events also name a contact as their author.
  expect(cascading).toEqual(expect.arrayContaining(named))
  expect(named.length).toBeGreaterThanOrEqual(least)
})
