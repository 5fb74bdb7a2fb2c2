import { putBack, recordFolder, type Disk } from "../fs/power-cut.ts"
import { join } from "node:path"
import { expect, test } from "vitest"
import { openLedger } from "../../src/registrar/ledger.ts"
import type { Entry } from "../../src/registrar/registry-state.ts"
import { folder } from "../keystore/folder.ts"

function invited(user: string): Entry {
  const fields = { name: "alice", secretHash: `hash of ${user}`, expiresAt: 2, by: null, operator: false }
  return { kind: "invited", at: 1, user, ...fields }
}

async function usersAfter(disk: Disk): Promise<string[]> {
  const path = folder()
  putBack(disk, path)
  const ledger = await openLedger(join(path, "ledger"))
  const users = [...ledger.state.users.keys()]
  await ledger.close()
  return users
}

test("an entry is written and synced before it is acknowledged, and its file's name before the first [R-8]", async () => {
  const path = folder()
  const recorder = recordFolder(path)
  const ledger = await openLedger(join(path, "ledger"))
  recorder.note("open")
  await ledger.append(invited("u1"))
  recorder.note("acknowledged")
  await ledger.transact(() => ({ entry: invited("u2") }))
  recorder.note("acknowledged")
  await ledger.close()
  expect(recorder.log).toEqual([
    "create ledger",
    "truncate ledger",
    "sync .",
    "synced .",
    "open",
    "write ledger",
    "sync ledger",
    "synced ledger",
    "acknowledged",
    "write ledger",
    "sync ledger",
    "synced ledger",
    "acknowledged",
  ])
})

test("a power cut that keeps any part of an entry leaves those before it, and no more than that one [R-8]", async () => {
  const path = folder()
  const recorder = recordFolder(path, { isTorn: true })
  const ledger = await openLedger(join(path, "ledger"))
  await ledger.append(invited("u1"))
  const from = recorder.torn.length
  await ledger.append(invited("u2"))
  const found = new Set<string>()
  for (const disk of recorder.torn.slice(from)) found.add((await usersAfter(disk)).join())
  expect(found).toEqual(new Set(["u1", "u1,u2"]))
  await ledger.close()
})

test("a power cut leaves every entry that was acknowledged [R-8]", async () => {
  const path = folder()
  const recorder = recordFolder(path)
  const ledger = await openLedger(join(path, "ledger"))
  const written: string[] = []
  for (let n = 1; n <= 3; n++) {
    await ledger.append(invited(`u${n}`))
    written.push(`u${n}`)
    expect(await usersAfter(recorder.cut())).toEqual(written)
  }
  await ledger.transact(() => ({ entry: invited("u4") }))
  expect(await usersAfter(recorder.cut())).toEqual([...written, "u4"])
  await ledger.close()
})
