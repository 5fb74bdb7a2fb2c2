import { open } from "node:fs/promises"
import { wipe, type Random } from "../crypto/bytes.ts"
import { codeOf, Fault } from "../errors.ts"
import { createFile, replaceFile, using } from "../fs/atomic-file.ts"
import { diskFault } from "../fs/disk-fault.ts"
import { derivePassphraseKey, newPassphraseKey, type PassphraseKey } from "./passphrase-key.ts"
import {
  CONTENTS_MAX,
  openSealed,
  PURPOSE,
  readSealed,
  SEALED_MAX,
  sealContents,
  type Sealed,
} from "./sealed-format.ts"

/** `hint` is the command that creates one, `lost` what helps with a damaged one. */
const PURPOSES = {
  identity: {
    byte: PURPOSE.identity,
    missing: "there is no profile here yet",
    hint: "mqttchat init",
    lost: "put back a copy of it, or a backup: mqttchat --profile OTHER import FILE; or start again: mqttchat --profile OTHER init",
  },
  registrar: {
    byte: PURPOSE.registrar,
    missing: "there is no broker here yet",
    hint: "mqttchat broker",
    lost: "put back a copy of it, or start again with: mqttchat broker --new-authority; everyone then needs a new invitation",
  },
} as const

export type Purpose = keyof typeof PURPOSES

/** The path of a sealed file and its purpose. */
export type SealedTarget = { readonly path: string; readonly purpose: Purpose }

/** An opened file: its contents, and a way to replace them atomically under the same passphrase. */
export type SealedFile = {
  readonly contents: Uint8Array
  readonly save: (contents: Uint8Array) => Promise<void>
}

/**
 * Makes a new file (0600) of at most 256 KiB. An empty passphrase is allowed: the file's mode is then its only
 * protection. Fault `exists` if there is one, `usage` if the passphrase has over 1024 bytes, `disk-full`, `io`.
 */
export async function sealFile(
  target: SealedTarget,
  contents: Uint8Array,
  passphrase: string,
  random: Random,
): Promise<SealedFile> {
  const passphraseKey = await newPassphraseKey(passphrase, random)
  await createFile(target.path, sealFor(target, passphraseKey, contents, random))
  return sealedFile(target, passphraseKey, contents, random)
}

/**
 * Fault `no-profile` if there is none, `damaged-key-file` if it was changed or is of another kind,
 * `refused` if the passphrase is wrong, `io`.
 */
export async function openFile(
  target: SealedTarget,
  passphrase: string,
  random: Random,
): Promise<SealedFile> {
  const sealed = await load(target)
  const { lock } = sealed.header
  const key = await derivePassphraseKey(lock, passphrase)
  const contents = openSealed(sealed, key)
  if (contents === undefined) throw wrongPassphrase(target)
  return sealedFile(target, { lock, key }, contents, random)
}

/** Seals the same contents under another passphrase, with a new salt. Faults as `openFile` and `sealFile`. */
export async function changePassphrase(
  target: SealedTarget,
  passphrases: { readonly from: string; readonly to: string },
  random: Random,
): Promise<void> {
  const { contents } = await openFile(target, passphrases.from, random)
  const passphraseKey = await newPassphraseKey(passphrases.to, random)
  await replaceFile(target.path, sealFor(target, passphraseKey, contents, random))
  wipe(contents, passphraseKey.key)
}

/** Whether opening needs a passphrase. Fault `no-profile` or `damaged-key-file`. */
export async function needsPassphrase(target: SealedTarget): Promise<boolean> {
  const { header } = await load(target)
  return header.lock.kind === "argon2id"
}

function sealedFile(
  target: SealedTarget,
  passphraseKey: PassphraseKey,
  contents: Uint8Array,
  random: Random,
): SealedFile {
  return {
    contents,
    save: async (changed) => {
      await replaceFile(target.path, sealFor(target, passphraseKey, changed, random))
    },
  }
}

function sealFor(
  { path, purpose }: SealedTarget,
  { lock, key }: PassphraseKey,
  contents: Uint8Array,
  random: Random,
): Uint8Array {
  if (contents.length > CONTENTS_MAX) throw new Fault("bug", `the contents are too large for ${path}`)
  return sealContents({ purpose: PURPOSES[purpose].byte, lock }, key, contents, random)
}

async function load(target: SealedTarget): Promise<Sealed> {
  const sealed = readSealed(await readBounded(target))
  if (sealed?.header.purpose === PURPOSES[target.purpose].byte) return sealed
  throw new Fault("damaged-key-file", `the key file ${target.path} is damaged`, PURPOSES[target.purpose].lost)
}

function wrongPassphrase({ path }: SealedTarget): Fault {
  return new Fault(
    "refused",
    `this is not the passphrase of ${path}`,
    "try again; without the passphrase the file cannot be opened",
  )
}

async function readBounded({ path, purpose }: SealedTarget): Promise<Uint8Array> {
  try {
    return await using(await open(path), async (file) => {
      const { size } = await file.stat()
      // Too large to be ours: refused like an empty one, and not read into memory.
      return size > SEALED_MAX ? new Uint8Array() : new Uint8Array(await file.readFile())
    })
  } catch (error) {
    const { missing, hint } = PURPOSES[purpose]
    throw codeOf(error) === "ENOENT"
      ? new Fault("no-profile", missing, hint)
      : diskFault(error, `read ${path}`, path)
  }
}
