import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { inspect } from "node:util"
import { describe, expect, it } from "vitest"
import { toHex, utf8 } from "../../src/crypto/bytes.ts"
import { publicKeyOf, sign, verify } from "../../src/crypto/nacl.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import { createKeyFile, createKeyRing, openKeyFile } from "../../src/keystore/keyfile.ts"
import { sealFile } from "../../src/keystore/sealed-file.ts"
import { actorFile } from "../actors.ts"
import { atFullCost } from "../cost.ts"
import { folder } from "./folder.ts"

const CREDENTIALS: [string, StoredCredential][] = [
  ["a device certificate", { kind: "device", deviceId: "id", certificate: "CERT", key: "KEY" }],
  [
    "a device certificate with its user",
    { kind: "device", deviceId: "id", certificate: "C", key: "K", userId: "u" },
  ],
  ["an account", { kind: "account", deviceId: "id", username: "alice", password: "geheim ü" }],
  ["an account without a password", { kind: "account", deviceId: "id", username: "" }],
  ["no account", { kind: "account", deviceId: "id" }],
  ["an invitation", { kind: "invitation", bytes: new Uint8Array(72).fill(9) }],
  ["that it came in a backup", { kind: "restored" }],
]

describe("an identity", () => {
  it("is two independent key pairs whose halves belong together", () => {
    const alice = createIdentity(systemRandom)
    expect(alice.public.box).toEqual(publicKeyOf(alice.boxSecret))
    expect(verify(utf8("me"), sign(utf8("me"), alice.signSecret), alice.public.sign)).toBe(true)
    expect(alice.signSecret).not.toEqual(alice.boxSecret)
  })

  it("depends on randomness only", () => {
    const counting = () => {
      let next = 0
      return (length: number) => Uint8Array.from({ length }, () => next++ & 0xff)
    }
    expect(createIdentity(counting())).toEqual(createIdentity(counting()))
    expect(createIdentity(systemRandom)).not.toEqual(createIdentity(systemRandom))
  })
})

describe("a key file", () => {
  it("gives back the key ring that was saved", async () => {
    const path = join(folder(), "key")
    const ring = createKeyRing(systemRandom)
    await createKeyFile(path, ring, "", systemRandom)
    const opened = await openKeyFile(path, "", systemRandom)
    expect(opened.ring).toEqual(ring)
  })

  it.each(CREDENTIALS)("remembers %s", async (_, credential) => {
    const path = join(folder(), "key")
    const file = await createKeyFile(path, createKeyRing(systemRandom), "", systemRandom)
    await file.save({ ...file.ring, credential })
    const opened = await openKeyFile(path, "", systemRandom)
    expect(opened.ring).toEqual({ ...file.ring, credential })
  })

  it("keeps its contents when a credential is too long", async () => {
    const path = join(folder(), "key")
    const file = await createKeyFile(path, createKeyRing(systemRandom), "", systemRandom)
    const longest = { kind: "account", deviceId: "id", password: "x".repeat(16_384) } as const
    await file.save({ ...file.ring, credential: longest })
    const tooLong = { ...longest, password: "x".repeat(16_385) }
    const saving = () => file.save({ ...file.ring, credential: tooLong })
    await expect(saving()).rejects.toMatchObject({ code: "bad-data" })
    const opened = await openKeyFile(path, "", systemRandom)
    expect(opened.ring.credential).toEqual(longest)
  })

  it.each([
    ["nothing", new Uint8Array()],
    ["a ring of another version", new Uint8Array(98).fill(2, 0, 1)],
    ["a ring and something after it", new Uint8Array(99).fill(1, 0, 1)],
    ["a credential of no known kind", new Uint8Array(98).fill(1, 0, 1).fill(5, 97)],
    ["an account that half has a name", Uint8Array.of(...new Uint8Array(97).fill(1, 0, 1), 2, 0, 0, 2, 0)],
  ])("refuses %s, though the passphrase is right", async (_, contents) => {
    const path = join(folder(), "key")
    await sealFile({ path, purpose: "identity" }, contents, "", systemRandom)
    await expect(openKeyFile(path, "", systemRandom)).rejects.toMatchObject({ code: "damaged-key-file" })
  })

  it("prints no key, in any way of printing it", async () => {
    const path = join(folder(), "key")
    const file = await createKeyFile(path, createKeyRing(systemRandom), "", systemRandom)
    await file.save({ ...file.ring, credential: { kind: "account", deviceId: "id", password: "geheim" } })
    const { ring } = await openKeyFile(path, "", systemRandom)
    expect(inspect(ring)).toBe("‹KeyRing›")
    expect(inspect(ring.identity)).toBe("‹IdentityKeys›")
    expect(inspect({ ...ring }, { depth: 9 })).toBe(
      "{\n  identity: ‹IdentityKeys›,\n  databaseKey: ‹DatabaseKey›,\n  credential: ‹StoredCredential›\n}",
    )
    expect(inspect({ ...ring.identity })).toContain("boxSecret: ‹SecretKey›")
    expect(JSON.stringify({ ...ring })).toBe(
      '{"identity":"‹IdentityKeys›","databaseKey":"‹DatabaseKey›","credential":"‹StoredCredential›"}',
    )
    expect(JSON.stringify({ ...ring.identity })).toContain('"signSecret":"‹SigningKey›"')
  })

  it("holds no secret that could be read without opening it", async () => {
    atFullCost()
    const path = join(folder(), "key")
    const ring = createKeyRing(systemRandom)
    await createKeyFile(path, ring, "a phrase", systemRandom)
    const written = toHex(readFileSync(path))
    for (const secret of [ring.identity.signSecret, ring.identity.boxSecret, ring.databaseKey]) {
      expect(written).not.toContain(toHex(secret).slice(0, 16))
    }
  })
})

/** Saves a long credential in a shell whose files may grow to `blocks` of 1024 bytes, as on a full disk. */
function saveOnFullDisk(blocks: number, path: string) {
  const command = `trap "" XFSZ; ulimit -f ${blocks}; exec "$0" "$@"`
  const args = ["-c", command, process.execPath, actorFile("keyfile"), path]
  return spawnSync("bash", args, { encoding: "utf8" })
}

describe("a disk without room", () => {
  it("leaves the old key ring whole and no other file", async () => {
    const path = join(folder(), "key")
    const before = await createKeyFile(path, createKeyRing(systemRandom), "", systemRandom)
    const run = saveOnFullDisk(2, path)
    expect(run.stdout.trim(), run.stderr).toBe("disk-full")
    expect(readdirSync(join(path, ".."))).toEqual(["key"])
    expect(existsSync(path)).toBe(true)
    const opened = await openKeyFile(path, "", systemRandom)
    expect(opened.ring).toEqual(before.ring)
  })
})
