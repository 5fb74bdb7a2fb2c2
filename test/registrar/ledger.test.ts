import { spawnSync } from "node:child_process"
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { openLedger, readLedger } from "../../src/registrar/ledger.ts"
import type { Entry } from "../../src/registrar/registry-state.ts"
import { actorFile } from "../actors.ts"
import { faultOf } from "../transport/transport-fixture.ts"

let folder = ""
let path = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mqttchat-ledger-"))
  path = join(folder, "registrar", "ledger")
})
afterEach(() => rmSync(folder, { recursive: true }))

function invited(user: string): Entry {
  const fields = { name: "alice", secretHash: `hash of ${user}`, expiresAt: 2, by: null, operator: false }
  return { kind: "invited", at: 1, user, ...fields }
}

async function written(...users: string[]): Promise<string> {
  const ledger = await openLedger(path)
  for (const user of users) await ledger.append(invited(user))
  await ledger.close()
  return readFileSync(path, "utf8")
}

async function usersIn(): Promise<string[]> {
  const ledger = await openLedger(path)
  const users = [...ledger.state.users.keys()]
  await ledger.close()
  return users
}

test("entries are there after opening again, readable by this user only [R-8]", async () => {
  await written("u1", "u2")
  await written("u3")
  expect(await usersIn()).toEqual(["u1", "u2", "u3"])
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test("entries written at once keep their order and their chain [R-8]", async () => {
  const ledger = await openLedger(path)
  const users = Array.from({ length: 20 }, (_, n) => `u${n}`)
  await Promise.all(users.map((user) => ledger.append(invited(user))))
  await ledger.close()
  expect(await usersIn()).toEqual(users)
})

test("a line that a crash cut off anywhere is removed, and the next entry takes its place [R-8]", async () => {
  const whole = await written("u1", "u2")
  const second = whole.indexOf("\n") + 1
  for (let cut = second; cut < whole.length; cut += 7) {
    writeFileSync(path, whole.slice(0, cut))
    expect(await usersIn()).toEqual(["u1"])
  }
  await written("u3")
  expect(await usersIn()).toEqual(["u1", "u3"])
})

test("a line that was changed, moved, removed, doubled or inserted is detected [R-8]", async () => {
  const whole = await written("u1", "u2", "u3")
  const [one = "", two = "", three = ""] = whole.split("\n")
  const forged = [
    [one, two.replace("alice", "mallory"), three],
    [one, two.replace('"operator":false', '"operator":true'), three],
    [two, one, three],
    [one, three],
    [two, three],
    [one, one, two, three],
    [one, "{}", two, three],
    [one, "", two, three],
  ]
  for (const lines of forged) {
    writeFileSync(path, `${lines.join("\n")}\n`)
    expect(await faultOf(openLedger(path))).toMatchObject({ code: "bad-data" })
  }
})

test("every flipped bit of the last line is detected too [R-8]", async () => {
  const whole = Buffer.from(await written("u1", "u2"))
  const start = whole.indexOf("\n") + 1
  for (let at = start; at < whole.length - 1; at += 1) {
    const flipped = Buffer.from(whole)
    flipped[at]! ^= 1
    writeFileSync(path, flipped)
    expect(await faultOf(openLedger(path))).toMatchObject({ code: "bad-data" })
  }
})

test("a file that is not a ledger is left unchanged [R-8]", async () => {
  await written("u1")
  appendFileSync(path, "not ours\n")
  const before = readFileSync(path)
  expect(await faultOf(openLedger(path))).toMatchObject({ code: "bad-data" })
  expect(readFileSync(path)).toEqual(before)
})

test("it is read while it is being written, without its last half line, and a reader never changes it [R-9]", async () => {
  const whole = await written("u1", "u2")
  appendFileSync(path, whole.slice(0, 40))
  const { size } = statSync(path)
  const read = await readLedger(path)
  expect(read?.lines.map(({ entry }) => entry)).toEqual([invited("u1"), invited("u2")])
  expect(read?.lines.map(({ link }) => link)).toEqual(
    whole
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { link: string }).link),
  )
  expect(statSync(path).size).toBe(size)
  expect(await readLedger(join(folder, "elsewhere"))).toBeUndefined()
})

test("on a disk that fills up within a line an entry that is not whole is not acknowledged [R-8]", async () => {
  await written("u1")
  const limited = 'ulimit -f 2; exec "$0" "$@"'
  const args = ["-c", limited, process.execPath, actorFile("ledger"), path]
  const { stdout } = spawnSync("bash", args, { encoding: "utf8" })
  const acknowledged = Number(stdout)
  expect(acknowledged).toBeGreaterThan(5)
  expect(acknowledged).toBeLessThan(1000)
  const ledger = await readLedger(path)
  expect(ledger?.lines).toHaveLength(1 + acknowledged)
  await written("u2")
  expect(await usersIn()).toContain("u2")
})
