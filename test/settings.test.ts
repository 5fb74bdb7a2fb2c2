import { chmodSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { expect, test } from "vitest"
import type { Settings } from "../src/settings.ts"
import { readSettings, writeSettings } from "../src/settings.ts"

const ALICE: Settings = {
  name: "Alice",
  here: false,
  broker: {
    host: "broker.example",
    port: 8883,
    others: [{ host: "second.example", port: 8883 }],
    guests: { host: "broker.example", port: 8884 },
    trust: { kind: "pin", pin: "0123456789abcdef0123456789abcdef" },
    registrar: "A".repeat(43),
    mqttVersion: 5,
  },
}

function freshPath(): string {
  return join(mkdtempSync(join(tmpdir(), "mqttchat-settings-")), "alice", "settings.json")
}

test("Alice's settings are read back, until she changes them", async () => {
  const path = freshPath()
  expect(readSettings(path)).toBeUndefined()
  await writeSettings(path, ALICE)
  expect(readSettings(path)).toEqual(ALICE)
  const later: Settings = { name: "Alice A.", here: true }
  await writeSettings(path, later)
  expect(readSettings(path)).toEqual(later)
})

test("only Alice may read the file, and no other file is left there", async () => {
  const path = freshPath()
  await writeSettings(path, ALICE)
  await writeSettings(path, ALICE)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700)
  expect(readdirSync(dirname(path))).toEqual(["settings.json"])
})

test.each([
  ["no JSON", "{"],
  ["another shape", JSON.stringify({ name: "Alice" })],
  ["a list", "[]"],
  ["an unknown key", JSON.stringify({ ...ALICE, password: "secret" })],
  [
    "a pin too short",
    JSON.stringify({ ...ALICE, broker: { ...ALICE.broker, trust: { kind: "pin", pin: "00" } } }),
  ],
  ["a port out of range", JSON.stringify({ ...ALICE, broker: { ...ALICE.broker, port: 65_536 } })],
  ["too much", JSON.stringify({ ...ALICE, name: "A".repeat(70_000) })],
  ["too many spaces", JSON.stringify(ALICE) + " ".repeat(70_000)],
  ["nothing", ""],
])("%s is reported as damage, and never overwritten", async (_, content) => {
  const path = freshPath()
  await writeSettings(path, ALICE)
  writeFileSync(path, content)
  expect(() => readSettings(path)).toThrow(expect.objectContaining({ code: "config" }))
  await expect(writeSettings(path, ALICE)).rejects.toMatchObject({ code: "config" })
  expect(readFileSync(path, "utf8")).toBe(content)
})

test("settings that could not be read back are not written", async () => {
  const path = freshPath()
  await expect(writeSettings(path, { ...ALICE, name: "" })).rejects.toMatchObject({ code: "bug" })
  expect(readSettings(path)).toBeUndefined()
})

test("a folder that others may enter is refused", async () => {
  const path = freshPath()
  await writeSettings(path, ALICE)
  chmodSync(dirname(path), 0o755)
  await expect(writeSettings(path, ALICE)).rejects.toMatchObject({ code: "config" })
})
