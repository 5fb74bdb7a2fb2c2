import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ARGON2_COST } from "../../src/crypto/argon2.ts"
import { toHex } from "../../src/crypto/bytes.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import { createKeyFile, createKeyRing } from "../../src/keystore/keyfile.ts"
import { asJson } from "../as-json.ts"
import { counting, recordedRandom } from "../recorded-random.ts"

const FILES: readonly { passphrase: string; credential: StoredCredential | undefined }[] = [
  { passphrase: "", credential: undefined },
  {
    passphrase: "Grüße, ﬁne",
    credential: { kind: "device", deviceId: "d", certificate: "CERT", key: "KEY", userId: "u" },
  },
  { passphrase: "", credential: { kind: "device", deviceId: "d", certificate: "CERT", key: "KEY" } },
  { passphrase: "", credential: { kind: "account", deviceId: "d", username: "alice", password: "ü" } },
  { passphrase: "", credential: { kind: "account", deviceId: "d" } },
  { passphrase: "", credential: { kind: "invitation", bytes: counting(9)(72) } },
  { passphrase: "", credential: { kind: "restored" } },
]

/** Key files with each kind of credential; the second one has a passphrase. */
export async function keyFileVectors() {
  const folder = await mkdtemp(join(tmpdir(), "mqttchat-vectors-"))
  const files = await Promise.all(FILES.map((file, at) => keyFile(join(folder, `${at}`), file)))
  await rm(folder, { recursive: true })
  return { about: "The key file of a profile: clauses K-1 to K-6.", cost: ARGON2_COST, files }
}

async function keyFile(path: string, { passphrase, credential }: (typeof FILES)[number]) {
  const { random, take } = recordedRandom(counting(1))
  const ring = { ...createKeyRing(random), credential }
  const [databaseKey, signSecret, boxSecret] = take(3)
  await createKeyFile(path, ring, passphrase, random)
  const [salt, nonce] = take(2)
  const bytes = toHex(await readFile(path))
  return {
    passphrase,
    salt,
    nonce,
    signSecret,
    boxSecret,
    databaseKey,
    credential: asJson(credential),
    bytes,
  }
}
