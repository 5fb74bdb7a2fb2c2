import { randomBytes } from "node:crypto"
import { copyFileSync } from "node:fs"
import { beforeAll, expect, test } from "vitest"
import type { FileSystem } from "../../src/store/files.ts"
import { nodeFiles } from "../../src/store/files.ts"
import { openStore } from "../../src/store/store.ts"
import { direct, person, freshPath, sending } from "./store-fixture.ts"
import type { Store } from "../../src/store/message-store.ts"

const MESSAGES = 3
const key = randomBytes(32)
const template = freshPath()

beforeAll(async () => {
  const store = await openStore(template, key)
  await store.commit(person(1, "Bob"))
  await store.close()
})

type Failing = { readonly files: FileSystem; readonly calls: () => number }

/** Files whose changing calls fail from the `first` on, `times` times; a failing write leaves half of its bytes. */
function failing(first: number, times: number, code: string): Failing {
  let calls = 0
  const fails = (): boolean => {
    const call = calls++
    return call >= first && call < first + times
  }
  const refuse = (): never => {
    throw Object.assign(new Error(code), { code })
  }
  const files: FileSystem = {
    ...nodeFiles,
    open: (path, create) =>
      create && !nodeFiles.exists(path) && fails() ? refuse() : nodeFiles.open(path, create),
    write: (file, bytes, position) => {
      const half = fails()
      nodeFiles.write(file, half ? bytes.subarray(0, bytes.length >> 1) : bytes, position)
      if (half) refuse()
    },
    sync: (file) => (fails() ? refuse() : nodeFiles.sync(file)),
    syncFolder: (path) => (fails() ? refuse() : nodeFiles.syncFolder(path)),
  }
  return { files, calls: () => calls }
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && "code" in cause ? cause.code : cause
}

function isStore(opened: unknown): opened is Store {
  return typeof opened === "object" && opened !== null && "commit" in opened
}

type WriteResult = { readonly acknowledged: string[]; readonly codes: Set<unknown> }

/** Alice writes a few messages, and the process ends without closing. */
async function write(path: string, files: FileSystem): Promise<WriteResult> {
  const result: WriteResult = { acknowledged: [], codes: new Set() }
  const store = await openStore(path, key, files).catch(codeOf)
  if (!isStore(store)) return { ...result, codes: result.codes.add(store) }
  for (let number = 1; number <= MESSAGES; number++) {
    try {
      await store.commit(sending(number, 1).writes)
      result.acknowledged.push(`message number ${number}`)
    } catch (cause) {
      result.codes.add(codeOf(cause))
    }
  }
  return result
}

async function survivors(path: string): Promise<string[]> {
  const store = await openStore(path, key)
  const messages = await store.history(direct(1), { limit: 100 })
  await store.commit([{ kind: "setting", key: "pairing", value: randomBytes(1) }])
  await store.close()
  return messages.map((entry) => entry.text)
}

function copyOfTemplate(): string {
  const path = freshPath()
  copyFileSync(template, path)
  return path
}

test.each([
  ["ENOSPC", "disk-full", "from then on", Infinity, 1],
  ["ENOSPC", "disk-full", "once", 1, 3],
  ["EIO", "io", "once", 1, 3],
])(
  "a call of a commit that fails with %s is reported as %s, %s: exactly the acknowledged commits survive",
  async (...row) => {
    const [code, expected, , times, stride] = row
    const sound = failing(Infinity, 0, "")
    await write(copyOfTemplate(), sound.files)
    expect(sound.calls()).toBeGreaterThan(20)
    for (let first = 0; first < sound.calls(); first += stride) {
      const path = copyOfTemplate()
      const { acknowledged, codes } = await write(path, failing(first, times, code).files)
      expect([...codes], `call ${first}`).toEqual([expected])
      expect(await survivors(path), `call ${first}`).toEqual(acknowledged)
    }
  },
)

test("a disk that fills up while the tables are made is reported, and the store can be made later", async () => {
  const sound = failing(Infinity, 0, "")
  await (await openStore(freshPath(), key, sound.files)).close()
  for (let first = 0; first < sound.calls(); first += 7) {
    const path = freshPath()
    const result = openStore(path, key, failing(first, Infinity, "ENOSPC").files).then(() => "opened", codeOf)
    expect(["disk-full", "opened"], `call ${first}`).toContain(await result)
    expect(await survivors(path)).toEqual([])
  }
})

test("a failed commit can be repeated in the same process", async () => {
  const path = copyOfTemplate()
  const store = await openStore(path, key, failing(30, 1, "ENOSPC").files)
  let refused = 0
  for (let number = 1; number <= 20; number++) {
    const { writes } = sending(number, 1)
    await store.commit(writes).catch(async () => {
      refused++
      await store.commit(writes)
    })
  }
  expect(refused).toBe(1)
  await store.close()
  expect(await survivors(path)).toHaveLength(20)
})
