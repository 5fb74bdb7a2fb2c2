import { randomBytes } from "node:crypto"
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect, test } from "vitest"
import { damagedLogs } from "../../src/cli/profile/store-files.ts"
import { nodeFiles, type FileSystem } from "../../src/store/files.ts"
import { HEADER_BYTES, PAGE_BYTES } from "../../src/store/log-scan.ts"
import { openStore } from "../../src/store/store.ts"
import { direct, freshPath, person, sending } from "./store-fixture.ts"

const FRAME_BYTES = 24 + PAGE_BYTES
const MESSAGES = 12
const key = randomBytes(32)

function openCopy(path: string, files?: FileSystem) {
  return openStore(path, new Uint8Array(key), files)
}

/** The files of a process that was killed after so many messages; the tables are in the database file. */
async function killed(files: FileSystem = nodeFiles): Promise<string> {
  const path = freshPath()
  const first = await openCopy(path)
  await first.commit(person(1, "Bob"))
  await first.close()
  const store = await openCopy(path, files)
  for (let number = 1; number <= MESSAGES; number++) await store.commit(sending(number, 1).writes)
  const copy = freshPath()
  for (const end of ["", "-wal"]) copyFileSync(path + end, copy + end)
  await store.close()
  return copy
}

async function numbersIn(path: string): Promise<{ numbers: number[]; noted: string }> {
  const store = await openCopy(path)
  const texts = await store.history(direct(1), { limit: 1000 })
  const noted = await store.setting("damaged-log")
  expect(await store.isWhole()).toBe(true)
  await store.close()
  return {
    numbers: texts.map(({ text }) => Number(text.split(" ").at(-1))),
    noted: Buffer.from(noted ?? []).toString("utf8"),
  }
}

function firstNumbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n + 1)
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  writeFileSync(path, bytes)
}

function copiesNextTo(path: string): string[] {
  return readdirSync(dirname(path)).filter((name) => name.includes(".damaged-"))
}

test("[D-130] one flipped bit in the log is noted, and the damaged log is kept", async () => {
  const path = await killed()
  const frames = Math.floor((statSync(`${path}-wal`).size - HEADER_BYTES) / FRAME_BYTES)
  flip(`${path}-wal`, HEADER_BYTES + Math.floor(frames / 2) * FRAME_BYTES + 1000)
  const damaged = readFileSync(`${path}-wal`)
  const { numbers, noted } = await numbersIn(path)
  expect(numbers.length).toBeGreaterThan(1)
  expect(numbers.length).toBeLessThan(MESSAGES)
  expect(numbers).toEqual(firstNumbers(numbers.length))
  expect(copiesNextTo(path)).toEqual([noted])
  const kept = join(dirname(path), noted)
  expect(readFileSync(kept).equals(damaged)).toBe(true)
  expect(statSync(kept).mode & 0o777).toBe(0o600)
  expect(damagedLogs(path)).toEqual([kept])
})

test("[D-130] a flipped bit in any part of the log but its last commit is noted, and what lies before is there", async () => {
  const path = await killed()
  const size = statSync(`${path}-wal`).size
  // One in each frame but those of the last commit, in another place of it each time; and the header.
  const offsets = [3, 9, 17, 25]
  for (let at = HEADER_BYTES + 7; at < size - 20 * FRAME_BYTES; at += FRAME_BYTES + 131) offsets.push(at)
  expect(offsets.length).toBeGreaterThan(50)
  for (const at of offsets) {
    const copy = freshPath()
    for (const end of ["", "-wal"]) copyFileSync(path + end, copy + end)
    flip(`${copy}-wal`, at)
    const { numbers, noted } = await numbersIn(copy)
    expect(noted, `byte ${at}`).not.toBe("")
    expect(numbers, `byte ${at}`).toEqual(firstNumbers(numbers.length))
  }
})

test("[D-130] the torn end that a power cut leaves is noted nowhere, and all that was acknowledged is there", async () => {
  const path = await killed()
  const whole = readFileSync(`${path}-wal`)
  for (let missing = 1; missing < 3 * FRAME_BYTES; missing += 577) {
    const copy = freshPath()
    copyFileSync(path, copy)
    writeFileSync(`${copy}-wal`, whole.subarray(0, whole.length - missing))
    expect(await numbersIn(copy)).toEqual({ numbers: firstNumbers(MESSAGES - 1), noted: "" })
    expect(copiesNextTo(copy)).toEqual([])
  }
})

test("remains of two power cuts after each other do not add up to a damaged log", async () => {
  const path = await killed()
  // Of the last commit one page was not written.
  flip(`${path}-wal`, statSync(`${path}-wal`).size - 3 * FRAME_BYTES + 100)
  const store = await openCopy(path)
  await store.commit([{ kind: "setting", key: "pairing", value: randomBytes(1) }])
  await store.commit(sending(90, 1).writes)
  const copy = freshPath()
  for (const end of ["", "-wal"]) copyFileSync(path + end, copy + end)
  await store.close()
  flip(`${copy}-wal`, statSync(`${copy}-wal`).size - 3 * FRAME_BYTES + 100)
  expect(await numbersIn(copy)).toEqual({ numbers: firstNumbers(MESSAGES - 1), noted: "" })
})

test("a process that dies before the damaged log is out of use leaves one copy, and the next one tells of it", async () => {
  const path = await killed()
  flip(`${path}-wal`, HEADER_BYTES + 20 * FRAME_BYTES)
  const damaged = readFileSync(`${path}-wal`)
  const refuse = (): never => {
    throw Object.assign(new Error("EIO"), { code: "EIO" })
  }
  await expect(openCopy(path, { ...nodeFiles, truncate: refuse })).rejects.toMatchObject({ code: "io" })
  const { noted } = await numbersIn(path)
  expect(copiesNextTo(path)).toEqual([noted])
  expect(readFileSync(join(dirname(path), noted)).equals(damaged)).toBe(true)
})

test("another profile's key tells nothing and takes no log out of use", async () => {
  const path = await killed()
  flip(`${path}-wal`, HEADER_BYTES + 20 * FRAME_BYTES)
  await expect(openStore(path, randomBytes(32))).rejects.toMatchObject({ code: "damaged-database" })
  const { noted } = await numbersIn(path)
  expect(noted).not.toBe("")
})

test("a commit that failed is cut off before the next write, if the disk refused that at first", async () => {
  const path = freshPath()
  let failing = false
  const refuse = (): never => {
    throw Object.assign(new Error("EIO"), { code: "EIO" })
  }
  const files: FileSystem = {
    ...nodeFiles,
    sync: (file) => (failing ? refuse() : nodeFiles.sync(file)),
    truncate: (file, size) => (failing ? refuse() : nodeFiles.truncate(file, size)),
  }
  const store = await openCopy(path, files)
  await store.commit(person(1, "Bob"))
  failing = true
  await expect(store.commit(sending(1, 1).writes)).rejects.toMatchObject({ code: "io" })
  failing = false
  await store.commit([{ kind: "setting", key: "pairing", value: randomBytes(1) }])
  const copy = freshPath()
  for (const end of ["", "-wal"]) copyFileSync(path + end, copy + end)
  await store.close()
  const log = readFileSync(`${copy}-wal`)
  const frames = Math.floor((log.length - HEADER_BYTES) / FRAME_BYTES)
  const commits = Array.from({ length: frames }, (_, n) =>
    log.readUInt32BE(HEADER_BYTES + n * FRAME_BYTES + 4),
  )
  expect(commits.at(-1)).not.toBe(0)
  expect(await numbersIn(copy)).toEqual({ numbers: [], noted: "" })
})

test("changed bytes in the database file are found, or change nothing that is read", async () => {
  const path = await killed()
  await (await openCopy(path)).close()
  expect(existsSync(`${path}-wal`)).toBe(false)
  const { size } = statSync(path)
  const expected = { numbers: firstNumbers(MESSAGES), noted: "" }
  for (let at = 5; at < size; at += Math.floor(size / 40)) {
    const copy = freshPath()
    copyFileSync(path, copy)
    flip(copy, at)
    const found = await numbersIn(copy).catch((cause: unknown) => cause)
    expect(found, `byte ${at}`).toMatchObject({ code: "damaged-database" })
  }
  for (const length of [size - 1, size - PAGE_BYTES, Math.floor(size / 2), 10]) {
    const copy = freshPath()
    writeFileSync(copy, readFileSync(path).subarray(0, length))
    const found = await numbersIn(copy).catch((cause: unknown) => cause)
    if (!(found instanceof Error)) expect(found, `${length} bytes`).toEqual(expected)
    else expect(found, `${length} bytes`).toMatchObject({ code: "damaged-database" })
  }
})
