import { randomBytes } from "node:crypto"
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect, test } from "vitest"
import { openStore } from "../../src/store/store.ts"
import { direct, person, freshPath, message, openBundle, outgoing } from "./store-fixture.ts"
import type { Store } from "../../src/store/message-store.ts"

const SECRETS = [
  "meet me at the harbour",
  "Bartholomew",
  "mc/1/i/secret-topic",
  "the state of a ratchet",
  "the clock",
]
const [TEXT = "", NAME = "", TOPIC = "", SNAPSHOT = "", SETTING = ""] = SECRETS

async function withSecrets(path: string, key: Uint8Array): Promise<Store> {
  const store = await openStore(path, key)
  await store.commit([
    ...person(1, NAME),
    { kind: "session", device: 1, snapshot: Buffer.from(SNAPSHOT.repeat(100)) },
    { kind: "message", message: message(1, TEXT) },
    { kind: "outgoing", outgoing: { ...outgoing(1, 1), topic: TOPIC } },
    { kind: "open-bundle", bundle: openBundle(1) },
    { kind: "setting", key: "replaced", value: Buffer.from(SETTING) },
  ])
  return store
}

function filesNextTo(path: string): Map<string, Buffer> {
  const folder = dirname(path)
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]))
}

async function everything(path: string, key: Uint8Array): Promise<unknown> {
  const store = await openStore(path, key)
  try {
    const { snapshotOf, linksOf, rows, waiting, ...loaded } = await store.load()
    const one = rows.contacts.get(1)
    return [
      loaded,
      [one, waiting.recoveries()],
      ...loaded.devices.map(({ id }) => snapshotOf(id)),
      ...loaded.contacts.map(({ id }) => linksOf(id)),
      await store.history(direct(1), { limit: 100 }),
      await store.unshown(),
      await store.search("harbour", { limit: 9 }),
    ]
  } finally {
    await store.close()
  }
}

test("the files hold neither texts nor keys in the clear, open or closed, and only the owner may read them", async () => {
  const path = freshPath()
  const key = randomBytes(32)
  const store = await withSecrets(path, key)
  const seen = [...filesNextTo(path)]
  expect(seen.map(([name]) => name).sort()).toEqual(["messages.db", "messages.db-wal"])
  for (const name of ["messages.db", "messages.db-wal"]) {
    expect(statSync(join(dirname(path), name)).mode & 0o777).toBe(0o600)
  }
  await store.close()
  seen.push(...filesNextTo(path))
  const [word = ""] = TEXT.split(" ")
  const forbidden = [...SECRETS, `${word}\0`, "SQLite format", "CREATE TABLE", key, key.toString("hex")]
  for (const [name, content] of seen) {
    expect(content.length).toBeGreaterThan(2000)
    for (const secret of forbidden) expect(content.includes(secret), `${name}: ${String(secret)}`).toBe(false)
  }
})

test("a wrong key is refused and harms nothing", async () => {
  const path = freshPath()
  const key = randomBytes(32)
  await (await withSecrets(path, key)).close()
  const before = filesNextTo(path)
  await expect(openStore(path, randomBytes(32))).rejects.toMatchObject({ code: "damaged-database" })
  expect(filesNextTo(path)).toEqual(before)
  const store = await openStore(path, key)
  expect((await store.history(direct(1), { limit: 1 }))[0]?.text).toBe(TEXT)
  await store.close()
})

test.each([
  ["a text", Buffer.from("Dear diary, ".repeat(1000))],
  ["random bytes", randomBytes(40_960)],
  ["an unencrypted database's header", Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(8176)])],
  ["something short", Buffer.from("hello")],
])("%s is not a message store, and is left unchanged", async (_, content) => {
  const path = freshPath()
  writeFileSync(path, content)
  await expect(openStore(path, randomBytes(32))).rejects.toMatchObject({ code: "damaged-database" })
  expect(readFileSync(path)).toEqual(content)
})

test("a changed byte is always detected", async () => {
  const key = randomBytes(32)
  const whole = freshPath()
  await (await withSecrets(whole, key)).close()
  const expected = await everything(whole, key)
  const content = readFileSync(whole)
  let refused = 0
  const positions = Array.from(
    { length: content.length / 512 },
    (_, index) => index * 512 + ((index * 37) % 512),
  )
  for (const position of positions) {
    const path = freshPath()
    const changed = Buffer.from(content)
    changed[position] = (changed[position] ?? 0) ^ 0x10
    writeFileSync(path, changed)
    const got = await everything(path, key).catch((cause: unknown) => cause)
    if (got instanceof Error) {
      refused++
      expect(got, `byte ${position}`).toMatchObject({ code: "damaged-database" })
    } else {
      expect(got, `byte ${position}`).toEqual(expected)
    }
  }
  expect(refused).toBeGreaterThan(positions.length / 2)
})

test("swapped pages and a truncated file are refused", async () => {
  const key = randomBytes(32)
  const whole = freshPath()
  await (await withSecrets(whole, key)).close()
  const content = readFileSync(whole)
  const swapped = Buffer.concat([
    content.subarray(0, 2048),
    content.subarray(4096, 6144),
    content.subarray(2048, 4096),
    content.subarray(6144),
  ])
  for (const damage of [swapped, content.subarray(0, 5000)]) {
    const path = freshPath()
    writeFileSync(path, damage)
    await expect(everything(path, key)).rejects.toMatchObject({ code: "damaged-database" })
  }
})

test("a file of a later version is refused, not changed", async () => {
  const { Database } = await import("../../src/store/database.ts")
  const { nodeFiles } = await import("../../src/store/files.ts")
  const path = freshPath()
  const key = randomBytes(32)
  const later = await Database.open(path, key, nodeFiles)
  later.execute("CREATE TABLE new_things (thing); PRAGMA user_version = 99")
  later.close()
  copyFileSync(path, `${path}.before`)
  await expect(openStore(path, key)).rejects.toMatchObject({
    code: "config",
    hint: "install the version of mqttchat that wrote it, or a later one",
  })
  expect(readFileSync(path)).toEqual(readFileSync(`${path}.before`))
})
