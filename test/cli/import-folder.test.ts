import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import {
  completeImport,
  hasBroker,
  takeFolder,
  unfinishedFolder,
} from "../../src/cli/broker/import-folder.ts"
import { profilePaths, type ProfilePaths } from "../../src/paths.ts"

const NONCE = "0123456789abcdef"

let home: string
let paths: ProfilePaths

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "mqttchat-import-"))
  paths = profilePaths({ MQTTCHAT_HOME: home }, "default")
  mkdirSync(paths.root)
})
afterEach(() => rmSync(home, { recursive: true }))

function folder(path: string, contents: string): string {
  mkdirSync(path)
  writeFileSync(join(path, "broker.key"), contents)
  return path
}

function present(): string {
  return readFileSync(join(paths.broker, "broker.key"), "utf8")
}

function unfinished(): string {
  return folder(unfinishedFolder(paths, NONCE), "new")
}

test("an imported broker takes the place of none, or of an empty folder", () => {
  expect(takeFolder(paths, unfinished(), 1)).toBeUndefined()
  expect(present()).toBe("new")
  rmSync(paths.broker, { recursive: true })
  mkdirSync(paths.broker)
  expect(hasBroker(paths)).toBe(false)
  expect(takeFolder(paths, unfinished(), 1)).toBeUndefined()
  expect(present()).toBe("new")
})

test("the broker that was there is kept under another name", () => {
  folder(paths.broker, "old")
  const kept = takeFolder(paths, unfinished(), 1)
  expect(present()).toBe("new")
  expect(readFileSync(join(kept!, "broker.key"), "utf8")).toBe("old")
})

test("an import that was killed at any moment leaves the old broker or the new one, and nothing half written [B-7]", () => {
  folder(paths.broker, "old")
  unfinished()
  completeImport(paths)
  expect([present(), existsSync(unfinishedFolder(paths, NONCE))]).toEqual(["old", false])
  folder(`${paths.broker}.next`, "new")
  completeImport(paths)
  expect(present()).toBe("old")
  rmSync(paths.broker, { recursive: true })
  mkdirSync(paths.broker)
  completeImport(paths)
  expect(present()).toBe("new")
  expect(readdirSync(paths.root)).toEqual(["broker"])
})
