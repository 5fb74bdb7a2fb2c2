import { createReadStream } from "node:fs"
import { readStream, type SealedStream, type StreamKind } from "../../keystore/sealed-stream.ts"
import { safe } from "../../wire/text.ts"
import type { Context } from "./context.ts"
import { unreadable } from "./input.ts"
import { givenPassphrase, PASSPHRASE_FLAG } from "./passphrase.ts"
import { askSecret } from "./prompts.ts"

export type SealedInput = { readonly sealed: SealedStream; readonly passphrase: string }

/** How the keys are locked here. */
export type KeyLockOptions = {
  /** Passphrase for the keys, if not that of the file. */
  readonly newPassphraseFile?: string
  /** False for --no-passphrase. */
  readonly passphrase: boolean
}

const QUESTION = {
  backup: safe`Passphrase of the backup:`,
  broker: safe`Passphrase of the export:`,
} as const

/** What a file holds, or stdin for `-`, and the passphrase that was given or asked for it. Faults as `readStream`. */
export async function openSealedInput(
  context: Context,
  file: string,
  kind: StreamKind,
): Promise<SealedInput> {
  const name = file === "-" ? "what came on stdin" : file
  const sealed = await readStream(bytesOf(context, file), name, kind)
  const given = await givenPassphrase(context)
  if (given !== undefined) return { sealed, passphrase: given }
  // stdin carries the file, so it cannot be used to ask.
  const askContext = { ...context, isInteractive: context.isInteractive && file !== "-" }
  const passphrase = await askSecret(askContext, { message: QUESTION[kind], flag: PASSPHRASE_FLAG })
  return { sealed, passphrase }
}

/** The passphrase for the keys: `asBefore`, unless the user says otherwise. */
export async function newKeyPassphrase(
  context: Context,
  options: KeyLockOptions,
  asBefore: string,
): Promise<string> {
  const { newPassphraseFile: file, passphrase: wanted } = options
  if (!wanted) return ""
  return file === undefined ? asBefore : ((await givenPassphrase({ ...context, passphrase: { file } })) ?? "")
}

async function* bytesOf({ lifetime }: Context, file: string): AsyncGenerator<Uint8Array> {
  const source = file === "-" ? process.stdin : createReadStream(file)
  lifetime.defer(() => void source.destroy())
  try {
    yield* source as AsyncIterable<Uint8Array>
  } catch (cause) {
    throw unreadable(file, cause)
  }
}
