import { expect, test } from "vitest"
import { backupFile, type BackupVectors } from "./backup.ts"
import { concat, hex, int, toHex } from "./bytes.ts"
import { credentialBytes, sealFile, type Cost, type Credential } from "./sealed-file.ts"
import { unreadOf, vectorsOf } from "./vectors.ts"

type KeyFile = Record<
  "passphrase" | "salt" | "nonce" | "signSecret" | "boxSecret" | "databaseKey" | "bytes",
  string
> & {
  credential: Credential
}

test("key files [K-1] to [K-6]", () => {
  const { cost, files } = vectorsOf("keyfile.json") as { cost: Cost; files: KeyFile[] }
  for (const { passphrase, credential, bytes, ...file } of files) {
    const [salt, nonce] = [hex(file.salt), hex(file.nonce)]
    const secrets = concat(hex(file.signSecret), hex(file.boxSecret), hex(file.databaseKey))
    const contents = concat(int(1, 1), secrets, credentialBytes(credential))
    expect(toHex(sealFile({ purpose: 1, passphrase, cost, salt, nonce }, contents))).toBe(bytes)
  }
})

test("a backup [B-1] to [B-11]", () => {
  const vectors = vectorsOf("backup.json") as BackupVectors
  expect(toHex(backupFile(vectors))).toBe(vectors.backup)
})

test("no value is left unread", () => {
  expect(unreadOf("keyfile.json")).toEqual([])
  expect(unreadOf("backup.json")).toEqual([])
})
