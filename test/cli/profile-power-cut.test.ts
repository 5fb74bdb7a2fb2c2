import { putBack, recordFolder, type Disk } from "../fs/power-cut.ts"
import { randomBytes } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { completeImport, takeFolder, unfinishedFolder } from "../../src/cli/broker/import-folder.ts"
import { writeOperatorInvitation } from "../../src/cli/profile/broker-descriptor.ts"
import { nameStore, setStoreAside } from "../../src/cli/profile/store-files.ts"
import { profilePaths } from "../../src/paths.ts"
import { readSettings, type Settings, writeSettings } from "../../src/settings.ts"
import { openStore } from "../../src/store/store.ts"
import { folder } from "../keystore/folder.ts"
import { direct, person, sending } from "../store/store-fixture.ts"

const NONCE = "0123456789abcdef"

function settingsOf(name: string): Settings {
  return { name, here: false }
}

test("settings are written, synced, put in place, and their name synced, before they are acknowledged", async () => {
  const path = folder()
  await writeSettings(join(path, "settings.json"), settingsOf("alice"))
  const recorder = recordFolder(path, { isTorn: true })
  await writeSettings(join(path, "settings.json"), settingsOf("alicia"))
  recorder.note("acknowledged")
  const log = recorder.log.filter((line) => !line.startsWith("remove"))
  expect(log.slice(-7)).toEqual([
    "write settings.json.tmp",
    "sync settings.json.tmp",
    "synced settings.json.tmp",
    "rename settings.json.tmp settings.json",
    "sync .",
    "synced .",
    "acknowledged",
  ])
  const names = [...recorder.torn, recorder.cut()].map((disk) => {
    const again = folder()
    putBack(disk, again)
    return readSettings(join(again, "settings.json"))?.name
  })
  expect(new Set(names)).toEqual(new Set(["alice", "alicia"]))
  expect(names.at(-1)).toBe("alicia")
})

/** The texts of the store that a cut left, or what cannot be opened. */
async function textsIn(disk: Disk, keys: readonly Uint8Array[]): Promise<string> {
  const path = folder()
  putBack(disk, path)
  if (!existsSync(join(path, "db"))) return "none"
  for (const key of keys) {
    try {
      const store = await openStore(join(path, "db"), new Uint8Array(key))
      const entries = await store.history(direct(1), { limit: 10 })
      await store.close()
      return entries.map(({ text }) => text).join()
    } catch {
      // Of another key, or damaged: the last line says so.
    }
  }
  return "damaged"
}

test("a new store takes the place of one with a log, and a cut leaves no old log beside a new store", async () => {
  const path = folder()
  const database = join(path, "db")
  const [oldKey, newKey] = [randomBytes(32), randomBytes(32)]
  const old = await openStore(database, new Uint8Array(oldKey))
  await old.commit([...person(1, "Bob"), ...sending(1, 1).writes])
  expect(existsSync(`${database}-wal`)).toBe(true)
  const recorder = recordFolder(path, { isTorn: true })
  const fresh = await openStore(`${database}.new`, new Uint8Array(newKey))
  await fresh.close()
  const from = recorder.torn.length
  setStoreAside(database)
  nameStore(`${database}.new`, database)
  recorder.note("acknowledged")
  expect(recorder.log.slice(recorder.log.indexOf("rename db db.old"))).toEqual([
    "rename db db.old",
    "sync .",
    "synced .",
    "rename db-wal db.old-wal",
    "sync .",
    "synced .",
    "rename db.new db",
    "sync .",
    "synced .",
    "acknowledged",
  ])
  const found = new Set<string>()
  for (const disk of recorder.torn.slice(from)) found.add(await textsIn(disk, [oldKey, newKey]))
  expect(found).toEqual(new Set(["message number 1", "none", ""]))
  expect(await textsIn(recorder.cut(), [newKey])).toBe("")
  await old.close()
})

test("a log whose store was set aside by a process that died is set aside, too", () => {
  const path = folder()
  const database = join(path, "db")
  writeFileSync(`${database}-wal`, "the log of a store that is gone")
  const { log } = setStoreAside(database)
  expect(log).toMatch(/db\.\d+\.old-wal$/)
  expect(existsSync(`${database}-wal`)).toBe(false)
})

test("a power cut while a broker is imported leaves the old one or the new one, and once it is said, the new one", () => {
  const home = folder()
  const paths = profilePaths({ MQTTCHAT_HOME: home }, "default")
  mkdirSync(paths.root, { recursive: true })
  for (const [place, contents] of [
    [paths.broker, "old"],
    [unfinishedFolder(paths, NONCE), "new"],
  ] as const) {
    mkdirSync(place)
    writeFileSync(join(place, "broker.key"), contents)
  }
  const recorder = recordFolder(home, { isTorn: true })
  takeFolder(paths, unfinishedFolder(paths, NONCE), 1)
  const found = [...recorder.torn, recorder.cut()].map((disk) => {
    const restored = folder()
    putBack(disk, restored)
    const again = profilePaths({ MQTTCHAT_HOME: restored }, "default")
    completeImport(again)
    const key = join(again.broker, "broker.key")
    return existsSync(key) ? readFileSync(key, "utf8") : "none"
  })
  expect(new Set(found)).toEqual(new Set(["old", "new"]))
  expect(found.at(-1)).toBe("new")
})

test("an invitation that was used does not come back after a power cut", async () => {
  const home = folder()
  const paths = profilePaths({ MQTTCHAT_HOME: home }, "default")
  mkdirSync(paths.broker, { recursive: true })
  await writeOperatorInvitation(paths, randomBytes(40))
  const recorder = recordFolder(home)
  expect(recorder.cut().size).toBe(1)
  await writeOperatorInvitation(paths, undefined)
  expect(recorder.cut().size).toBe(0)
})
