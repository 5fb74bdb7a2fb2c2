import { existsSync } from "node:fs"
import { join } from "node:path"
import { Fault } from "../../errors.ts"
import { readText, safe } from "../../wire/text.ts"
import type { Context } from "./context.ts"
import { readFd, readSmallFile } from "./input.ts"
import { askSecret } from "./prompts.ts"

/** Far above any typed passphrase. */
const PASSPHRASE_BYTES_MAX = 1024
export const PASSPHRASE_FLAG = "--passphrase-file FILE or --passphrase-fd NUMBER"

/** Under this name a unit's LoadCredential= hands a passphrase to us (systemd.exec(5)). */
export const CREDENTIAL = "mqttchat-passphrase"

/**
 * The passphrase from --passphrase-file or --passphrase-fd, else the one that systemd gives to a service, without its
 * line end; undefined if there is none.
 */
export function givenPassphrase({ passphrase, env }: Context): string | undefined {
  const { fd } = passphrase
  const file = passphrase.file ?? (fd === undefined ? credentialFile(env) : undefined)
  if (file !== undefined) return firstLine(readSmallFile(file, PASSPHRASE_BYTES_MAX), file)
  if (fd !== undefined)
    return firstLine(readFd(fd, `descriptor ${fd}`, PASSPHRASE_BYTES_MAX), `descriptor ${fd}`)
  return undefined
}

/** The passphrase that opens something of ours. */
export async function passphraseToOpen(context: Context): Promise<string> {
  const given = givenPassphrase(context)
  return given ?? (await askSecret(context, { message: safe`Passphrase:`, flag: PASSPHRASE_FLAG }))
}

/** A new passphrase, asked twice; if empty, only the user's account on this machine protects the keys. */
export async function newPassphrase(context: Context, flag: string): Promise<string> {
  for (;;) {
    const first = await askSecret(context, {
      message: safe`Passphrase to lock your keys (empty = none, this account only):`,
      flag,
    })
    if (first === "") return first
    const again = await askSecret(context, { message: safe`The same again:`, flag })
    if (first === again) return first
    context.out.warn(safe`the two passphrases are not the same; once more, from the start`)
  }
}

/** The file in which systemd hands a passphrase over, if it does. */
export function credentialFile(env: Context["env"]): string | undefined {
  const folder = env["CREDENTIALS_DIRECTORY"]
  const file = folder === undefined ? undefined : join(folder, CREDENTIAL)
  return file !== undefined && existsSync(file) ? file : undefined
}

function firstLine(bytes: Uint8Array, name: string): string {
  const text = readText(bytes)?.replace(/\r?\n$/, "")
  if (text === undefined || text.includes("\n")) {
    throw new Fault("usage", `${name} is not one line of text in UTF-8`, `mqttchat --help`)
  }
  return text
}
