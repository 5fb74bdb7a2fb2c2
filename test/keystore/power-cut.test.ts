import { putBack, recordFolder, type Disk } from "../fs/power-cut.ts"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { expect, test } from "vitest"
import { toHex } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { changePassphrase, openFile, sealFile, type SealedTarget } from "../../src/keystore/sealed-file.ts"
import { folder } from "./folder.ts"

const FIRST = randomBytes(40)
const SECOND = randomBytes(40)

function identityIn(path: string): SealedTarget {
  return { path: join(path, "keys"), purpose: "identity" }
}

async function opened(disk: Disk, passphrase = ""): Promise<string> {
  const path = folder()
  putBack(disk, path)
  return toHex((await openFile(identityIn(path), passphrase, systemRandom)).contents)
}

/** Each file that a cut could leave under the name. */
function keysOf(disks: readonly Disk[]): string[] {
  return [...new Set(disks.map((disk) => disk.get("keys")?.toString("hex") ?? "none"))]
}

test("a new key file: written, synced, then named, and the name synced, before it is acknowledged", async () => {
  const path = folder()
  const recorder = recordFolder(path)
  await sealFile(identityIn(path), FIRST, "", systemRandom)
  recorder.note("acknowledged")
  expect(recorder.log).toEqual([
    "create keys.new",
    "write keys.new",
    "sync keys.new",
    "synced keys.new",
    "link keys.new keys",
    "sync .",
    "synced .",
    "remove keys.new",
    "acknowledged",
  ])
})

test("a power cut leaves no key file or the whole one, and the one that was acknowledged", async () => {
  const path = folder()
  const recorder = recordFolder(path)
  await sealFile(identityIn(path), FIRST, "", systemRandom)
  expect(await opened(recorder.cut())).toBe(toHex(FIRST))
  expect(keysOf(recorder.cuts)).toEqual(["none", recorder.cut().get("keys")?.toString("hex")])
})

test("a changed key file: written, synced, then put in the old one's place, and the name synced", async () => {
  const path = folder()
  const file = await sealFile(identityIn(path), FIRST, "", systemRandom)
  const recorder = recordFolder(path)
  await file.save(SECOND)
  recorder.note("acknowledged")
  expect(recorder.log).toEqual([
    "create keys.new",
    "write keys.new",
    "sync keys.new",
    "synced keys.new",
    "rename keys.new keys",
    "sync .",
    "synced .",
    "acknowledged",
  ])
})

test("a power cut leaves the old key file or the new one, and the new one once it is acknowledged", async () => {
  const path = folder()
  const file = await sealFile(identityIn(path), FIRST, "", systemRandom)
  const recorder = recordFolder(path)
  const before = recorder.cut()
  await file.save(SECOND)
  expect(await opened(recorder.cut())).toBe(toHex(SECOND))
  expect(keysOf(recorder.cuts)).toEqual(keysOf([before, recorder.cut()]))
})

test("a passphrase that was changed holds after a power cut", async () => {
  const path = folder()
  await sealFile(identityIn(path), FIRST, "old phrase", systemRandom)
  const recorder = recordFolder(path)
  await changePassphrase(identityIn(path), { from: "old phrase", to: "new phrase" }, systemRandom)
  expect(await opened(recorder.cut(), "new phrase")).toBe(toHex(FIRST))
})
