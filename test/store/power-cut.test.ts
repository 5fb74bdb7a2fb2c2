import { putBack, recordFolder, type Disk } from "../fs/power-cut.ts"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { expect, test } from "vitest"
import { openStore } from "../../src/store/store.ts"
import { folder } from "../keystore/folder.ts"
import { direct, person, message, sending } from "./store-fixture.ts"

const key = randomBytes(32)
/** SQLite moves its log into the database after about 1,000 pages of 2 KiB: this is more than twice as much. */
const MESSAGES = 30
const TEXT_BYTES = 160_000

async function textsAfter(disk: Disk): Promise<string[]> {
  const path = folder()
  putBack(disk, path)
  const store = await openStore(join(path, "db"), key)
  const entries = await store.history(direct(1), { limit: 1000 })
  expect(await store.isWhole()).toBe(true)
  await store.close()
  return entries.map(({ text }) => text)
}

test("a commit writes, syncs, and only then is acknowledged; the names of new files are synced first", async () => {
  const path = folder()
  const recorder = recordFolder(path)
  const store = await openStore(join(path, "db"), key)
  recorder.note("open")
  await store.commit(person(1, "Bob"))
  recorder.note("acknowledged")
  await store.commit(sending(1, 1).writes)
  recorder.note("acknowledged")
  const log = recorder.log.slice(recorder.log.indexOf("open") + 1)
  const commit = ["write db-wal", "sync db-wal", "synced db-wal", "acknowledged"]
  expect(log).toEqual([...commit, ...commit])
  for (const name of ["db", "db-wal"]) {
    const created = recorder.log.indexOf(`create ${name}`)
    expect(recorder.log.indexOf("synced .", created)).toBeGreaterThan(created)
  }
  await store.close()
})

test("a power cut leaves every commit that was acknowledged, also the first of a new file", async () => {
  const path = folder()
  const recorder = recordFolder(path)
  const store = await openStore(join(path, "db"), key)
  expect(await textsAfter(recorder.cut())).toEqual([])
  await store.commit(person(1, "Bob"))
  const texts: string[] = []
  for (let number = 1; number <= 5; number++) {
    await store.commit(sending(number, 1).writes)
    texts.push(`message number ${number}`)
    expect(await textsAfter(recorder.cut())).toEqual(texts)
  }
  await store.close()
  expect(await textsAfter(recorder.cut())).toEqual(texts)
})

test("a power cut that keeps any part of a commit leaves all of it or nothing, and those before it", async () => {
  const path = folder()
  const store = await openStore(join(path, "db"), key)
  await store.commit(person(1, "Bob"))
  await store.commit(sending(1, 1).writes)
  const recorder = recordFolder(path, { isTorn: true })
  await store.commit(sending(2, 1).writes)
  const found = new Set<string>()
  for (const disk of recorder.torn) found.add((await textsAfter(disk)).join())
  expect(found).toEqual(new Set(["message number 1", "message number 1,message number 2"]))
  await store.close()
})

test("a power cut that keeps any part of a log's way into the database takes nothing", async () => {
  const path = folder()
  const store = await openStore(join(path, "db"), key)
  await store.commit(person(1, "Bob"))
  await store.commit(sending(1, 1).writes)
  const recorder = recordFolder(path, { isTorn: true })
  await store.close()
  expect(recorder.log).toContain("synced db")
  for (const disk of recorder.torn) expect(await textsAfter(disk)).toEqual(["message number 1"])
})

test("a power cut while the log is moved into the database takes nothing", async () => {
  const path = folder()
  const recorder = recordFolder(path)
  const store = await openStore(join(path, "db"), key)
  await store.commit(person(1, "Bob"))
  for (let number = 1; number <= MESSAGES; number++) {
    const text = `${number} ${"x".repeat(TEXT_BYTES)}`
    await store.commit([{ kind: "message", message: message(1, text) }])
  }
  expect(recorder.log.filter((line) => line === "synced db").length).toBeGreaterThan(1)
  expect(await textsAfter(recorder.cut())).toHaveLength(MESSAGES)
  await store.close()
})
