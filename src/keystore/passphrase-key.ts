import { argon2id, newLockCost } from "../crypto/argon2.ts"
import { utf8, wipe, type BoxKey, type Random } from "../crypto/bytes.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import { Fault } from "../errors.ts"
import { SALT_BYTES, type PassphraseLock } from "./sealed-format.ts"

/** Longer than any passphrase that is typed or kept in a password store. */
const PASSPHRASE_MAX = 1024

/** A lock and the key it derives from the passphrase. The key stays in memory so that the passphrase need not. */
export type PassphraseKey = { readonly lock: PassphraseLock; readonly key: BoxKey }

/** A new lock for a new file; none if the passphrase is empty. Fault `usage` as `keyOf`. */
export async function newPassphraseKey(passphrase: string, random: Random): Promise<PassphraseKey> {
  const salt = random(SALT_BYTES)
  const lock: PassphraseLock =
    passphrase === "" ? { kind: "none" } : { kind: "argon2id", cost: newLockCost(), salt }
  return { lock, key: await derivePassphraseKey(lock, passphrase) }
}

/** Faults `usage` for a passphrase of over 1024 bytes, `refused` for an empty one if there is a lock. */
export async function derivePassphraseKey(lock: PassphraseLock, passphrase: string): Promise<BoxKey> {
  // Keyboards compose accents in different ways; the same passphrase must open the file from each.
  const bytes = utf8(passphrase.normalize("NFKC"))
  if (bytes.length > PASSPHRASE_MAX) throw new Fault("usage", "a passphrase has at most 1024 bytes")
  if (lock.kind === "none") return new Uint8Array(KEY_BYTES) as BoxKey
  if (bytes.length === 0)
    throw new Fault("refused", "this file has a passphrase", "give it, or --passphrase-file")
  const key = await argon2id(bytes, lock.salt, lock.cost)
  wipe(bytes)
  return key
}
