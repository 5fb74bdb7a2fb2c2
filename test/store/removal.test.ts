import { randomBytes } from "node:crypto"
import { copyFileSync, existsSync } from "node:fs"
import { describe, expect, onTestFinished, test } from "vitest"
import { CREATE_TABLES } from "../../src/store/create-tables.ts"
import { Database } from "../../src/store/database.ts"
import { nodeFiles } from "../../src/store/files.ts"
import type { Write } from "../../src/store/records.ts"
import { openStore } from "../../src/store/store.ts"
import {
  contact,
  deviceParts,
  direct,
  freshPath,
  message,
  openBundle,
  outgoing,
  ownMessage,
  partWrites,
  person,
} from "./store-fixture.ts"

const WORD = "zyzzogeton"
const AT = 1_764_000_100_000
const TIMER = { timer: 1, expiresAt: AT - 1 }

const ids = { theirs: randomBytes(8), ours: randomBytes(8), held: randomBytes(8), early: randomBytes(8) }
const accounts = { bob: randomBytes(32), carol: randomBytes(32) }

const text = { ...message(1, `${WORD} theirs`, ids.theirs), ...TIMER }
const { conversation, author, id, digest } = text
const theirs = { conversation, author, id, digest }
const held = { ...message(1, `${WORD} held`, ids.held), replyTo: undefined }
const early = { ...theirs, id: ids.early, digest: randomBytes(16) }

function changed(name: typeof theirs, change: Extract<Write, { kind: "change" }>["change"]): Write {
  const { conversation, author, id, digest } = name
  return { kind: "change", conversation, author, id, digest, change, at: AT }
}

function event(number: number, { id, author = 1 }: { id: Uint8Array; author?: number | null }): Write {
  return {
    kind: "event",
    event: { number, conversation: direct(1), author, id, state: null, change: undefined },
  }
}

/** Something of Bob and of what was said with him in every table that can name them; Carol is another contact. */
const EVERYTHING: readonly Write[] = [
  ...person(1, WORD),
  ...person(2, "carol"),
  { kind: "contact", contact: { ...contact(1, WORD), accountId: accounts.bob } },
  { kind: "contact", contact: { ...contact(2, "carol"), accountId: accounts.carol } },
  { kind: "account-links", contact: 1, links: [{ branch: 0, number: 0, link: accounts.bob }] },
  ...partWrites(1, deviceParts()),
  { kind: "session", device: 1, snapshot: randomBytes(900) },
  { kind: "message", message: text },
  event(1, { id: ids.theirs }),
  changed(theirs, { kind: "edit", by: 1, time: 5, text: `${WORD} edited` }),
  changed(theirs, { kind: "edit", by: 1, time: 6, text: `${WORD} edited again` }),
  changed(theirs, { kind: "reaction", by: null, time: 6, emoji: "👍" }),
  {
    ...ownMessage(1, `${WORD} ours`, ids.ours),
    message: { ...ownMessage(1, `${WORD} ours`, ids.ours).message, ...TIMER },
  },
  event(2, { id: ids.ours, author: null }),
  { kind: "superseded-key", conversation: direct(1), author: 1, id: ids.theirs, key: "compared" },
  { kind: "held", held: { device: 1, number: 7, storedAt: AT, gone: undefined, text: held } },
  changed(early, { kind: "edit", by: 1, time: 5, text: `${WORD} early` }),
  { kind: "outgoing", outgoing: { ...outgoing(1, 1), carries: { id: ids.ours, number: 1 } } },
  { kind: "open-bundle", bundle: openBundle(1) },
  { kind: "known-id", known: { ...theirs, id: randomBytes(8), author: 1, at: AT } },
  { kind: "received-frame", frame: { device: 1, mid: randomBytes(8), at: AT } },
  {
    kind: "introduction",
    introduction: {
      ...{ id: 1, role: "introducer", state: "asked", contact: 1, initiator: 2, account: accounts.bob },
      ...{ name: WORD, bundle: new Uint8Array(0), since: AT },
    },
  },
  { kind: "message", message: message(2, "carol keeps hers") },
]

async function opened() {
  const [path, key] = [freshPath(), randomBytes(32)]
  const store = await openStore(path, new Uint8Array(key))
  onTestFinished(() => store.close())
  await store.commit(EVERYTHING)
  return {
    store,
    tablesWith: (mark: Uint8Array | string) => onDisk(path, key, (disk) => tablesWith(disk, mark)),
    filled: () => onDisk(path, key, filled),
    rowsOf: (table: string) => onDisk(path, key, (disk) => rowsOf(disk, table).length),
  }
}

/** Reads a copy of what is on the disk. */
async function onDisk<T>(path: string, key: Uint8Array, read: (database: Database) => T): Promise<T> {
  const copy = `${path}.copy`
  for (const suffix of ["", "-wal"]) if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix)
  const database = await Database.open(copy, new Uint8Array(key), nodeFiles)
  const found = read(database)
  database.close()
  return found
}

/** The tables with a row that holds these bytes or this text, in any column; those of the index of words are one. */
function tablesWith(database: Database, mark: Uint8Array | string): string[] {
  const sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'words'"
  const hex = Buffer.from(mark).toString("hex").toUpperCase()
  const found = database
    .select((row) => row.text(0), sql)
    .filter((name) => rowsOf(database, name).some((row) => row.includes(hex)))
  return [...new Set(found.map((name) => name.replace(/^words_.*/, "words")))].sort()
}

/** The tables that have rows, but for SQLite's own and those of the index of words. */
function filled(database: Database): string[] {
  const sql =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'words%'"
  const names = database.select((row) => row.text(0), sql)
  return names.filter((name) => rowsOf(database, name).length > 0).sort()
}

function rowsOf(database: Database, table: string): string[] {
  const columns = database.select((row) => row.text(0), "SELECT name FROM pragma_table_info(?)", table)
  const hexes = columns.map((column) => `hex("${column}")`).join(" || ' ' || ")
  return database.select((row) => row.text(0), `SELECT ${hexes} FROM "${table}"`)
}

const DELETE: Write = { kind: "delete", conversation: direct(1), from: 1, upTo: 9, at: AT }

/** What may still name a message: its id is known for 400 days, and a frame waits until its receipt comes. */
const WAYS: readonly (readonly [string, Write[], Partial<Record<keyof typeof ids | "word", string[]>>])[] = [
  ["forgetting the contact", [{ kind: "forget-contact", id: 1 }], {}],
  [
    "deleting all of a conversation",
    [DELETE, { kind: "delete-waiting", contact: 1, at: AT }],
    { theirs: ["known_ids"], ours: ["known_ids", "outgoing"], held: ["known_ids"] },
  ],
]

describe("after a removal no table names what was removed", () => {
  test("with all contacts every table is empty, and none was before but our own", async () => {
    const { store, filled } = await opened()
    const tables = CREATE_TABLES.join("").matchAll(/CREATE TABLE (\w+)/g)
    const ours = new Set(["settings", "own_account_links"])
    const theirs = [...tables].flatMap(([, name = ""]) => (ours.has(name) ? [] : [name]))
    expect(await filled()).toEqual(theirs.sort())
    await store.commit([
      { kind: "forget-contact", id: 1 },
      { kind: "forget-contact", id: 2 },
    ])
    expect(await filled()).toEqual([])
  })

  test("and before it every table does that can", async () => {
    const { tablesWith } = await opened()
    expect(await tablesWith(WORD)).toEqual(
      ["contacts", "earlier_texts", "early_changes", "held", "introductions", "messages", "words"].sort(),
    )
    expect(await tablesWith(ids.theirs)).toEqual(["events", "messages"])
    expect(await tablesWith(ids.ours)).toEqual(["events", "messages", "outgoing"])
    expect(await tablesWith(ids.held)).toEqual(["held"])
    expect(await tablesWith(ids.early)).toEqual(["early_changes"])
  })

  test.each(WAYS)("%s", async (_name, writes, left) => {
    const { store, tablesWith } = await opened()
    await store.commit(writes)
    const isForgotten = writes.some(({ kind }) => kind === "forget-contact")
    expect(await tablesWith(WORD)).toEqual(isForgotten ? [] : ["contacts", "introductions"])
    for (const name of ["theirs", "ours", "held", "early"] as const)
      expect([name, await tablesWith(ids[name])]).toEqual([name, left[name] ?? []])
    expect(await tablesWith(accounts.bob)).toEqual(
      isForgotten ? [] : ["account_links", "contacts", "introductions"],
    )
    expect(await store.search("carol", { limit: 9 })).toHaveLength(1)
    expect(await store.isWhole()).toBe(true)
  })

  test.each([
    ["a timer", { kind: "expire", at: AT } as const],
    ["deleting the messages that are here", DELETE],
  ])("%s leaves what waits, which was not there", async (_name, write) => {
    const { store, tablesWith, rowsOf } = await opened()
    await store.commit([write])
    expect(await tablesWith(WORD)).toEqual(["contacts", "early_changes", "held", "introductions"])
    expect(await tablesWith(ids.theirs)).toEqual(["known_ids"])
    expect(await tablesWith(ids.ours)).toEqual(["known_ids", "outgoing"])
    const refers = ["earlier_texts", "events", "reactions", "recipients", "superseded_keys"]
    for (const name of refers) expect([name, await rowsOf(name)]).toEqual([name, 0])
  })

  test("a deletion by its author leaves the message without a word of it", async () => {
    const { store, tablesWith } = await opened()
    const late = { ...message(1, `${WORD} regretted`, ids.early), digest: early.digest }
    const deletions = [theirs, held, late].map((name) => changed(name, { kind: "delete", by: 1, time: 7 }))
    await store.commit([{ kind: "message", message: late }, ...deletions])
    expect(await tablesWith(`${WORD} early`)).toEqual([])
    expect(await tablesWith(`${WORD} held`)).toEqual([])
    expect(await tablesWith(`${WORD} regretted`)).toEqual([])
  })
})
