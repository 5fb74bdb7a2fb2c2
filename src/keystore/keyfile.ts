import type { Random, SecretKey, SigningKey } from "../crypto/bytes.ts"
import { concealed } from "../crypto/concealed.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import { Fault } from "../errors.ts"
import { decode, Writer } from "../wire/codec.ts"
import type { IdentityKeys } from "../wire/identity.ts"
import { readCredential, writeCredential, type StoredCredential } from "./credential.ts"
import { createIdentity, identityOf } from "./identity.ts"
import { openFile, sealFile, type SealedFile } from "./sealed-file.ts"

/** Everything secret that a profile keeps. It prints as ‹KeyRing›. */
export type KeyRing = {
  readonly identity: IdentityKeys
  /** 32 bytes. */
  readonly databaseKey: Uint8Array
  readonly credential: StoredCredential | undefined
}

/** An opened key file; `save` writes another ring under the same passphrase, atomically. */
export type KeyFile = { readonly ring: KeyRing; readonly save: (ring: KeyRing) => Promise<void> }

const VERSION = 1

/** The secrets of a new profile, from 96 random bytes; not yet known to any broker. */
export function createKeyRing(random: Random): KeyRing {
  const databaseKey = concealed("DatabaseKey", random(KEY_BYTES))
  return concealed("KeyRing", { identity: createIdentity(random), databaseKey, credential: undefined })
}

/** Makes a profile's key file. Faults as `sealFile`: `exists` if there is one, even if another process is just making it. */
export async function createKeyFile(
  path: string,
  ring: KeyRing,
  passphrase: string,
  random: Random,
): Promise<KeyFile> {
  const file = await sealFile({ path, purpose: "identity" }, encodeKeyRing(ring), passphrase, random)
  return keyFile(file, ring)
}

/** Opens a profile's key file. Faults as `openFile`. */
export async function openKeyFile(path: string, passphrase: string, random: Random): Promise<KeyFile> {
  const file = await openFile({ path, purpose: "identity" }, passphrase, random)
  const ring = decodeKeyRing(file.contents)
  if (ring === undefined) throw new Fault("damaged-key-file", `${path} is of another version of mqttchat`)
  return keyFile(file, ring)
}

/** Overwrites the byte arrays; strings, such as the key of a certificate, stay until the memory is reused. */
export function wipe({ identity, databaseKey }: KeyRing): void {
  for (const secret of [identity.signSecret, identity.boxSecret, databaseKey]) secret.fill(0)
}

function keyFile(file: SealedFile, ring: KeyRing): KeyFile {
  return {
    ring,
    save: async (changed) => {
      await file.save(encodeKeyRing(changed))
    },
  }
}

/** version u8 = 1 | signing secret 32 | box secret 32 | database key 32 | credential. */
function encodeKeyRing({ identity, databaseKey, credential }: KeyRing): Uint8Array {
  const writer = new Writer()
    .u8(VERSION)
    .bytes(identity.signSecret)
    .bytes(identity.boxSecret)
    .bytes(databaseKey)
  writeCredential(writer, credential)
  return writer.done()
}

function decodeKeyRing(bytes: Uint8Array): KeyRing | undefined {
  return decode(bytes, (reader) => {
    if (reader.u8() !== VERSION) reader.refuse()
    const signSecret = reader.bytes(KEY_BYTES) as SigningKey
    const boxSecret = reader.bytes(KEY_BYTES) as SecretKey
    const databaseKey = concealed("DatabaseKey", reader.bytes(KEY_BYTES))
    const stored = readCredential(reader)
    const credential = stored && concealed("StoredCredential", stored)
    if (reader.spoilt) return undefined
    return concealed("KeyRing", { identity: identityOf(signSecret, boxSecret), databaseKey, credential })
  })
}
