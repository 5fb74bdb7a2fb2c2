import { existsSync } from "node:fs"
import { join } from "node:path"
import { Fault } from "../../errors.ts"
import { readText, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "./context.ts"
import { firstLineOf } from "./passphrase-command.ts"
import { readFd, readSmallFile } from "./input.ts"
import { askSecret } from "./prompts.ts"

/** Far above any typed passphrase. */
const PASSPHRASE_BYTES_MAX = 1024
export const PASSPHRASE_FLAG =
  "--passphrase-file FILE, --passphrase-fd NUMBER or --passphrase-command COMMAND"

/** Under this name a unit's LoadCredential= hands a passphrase to us (systemd.exec(5)). */
export const CREDENTIAL = "mqttchat-passphrase"

/**
 * The passphrase from --passphrase-file, --passphrase-fd or --passphrase-command, else the one that systemd gives to a
 * service, without its line end; undefined if there is none.
 */
export async function givenPassphrase(context: Context): Promise<string | undefined> {
  const { passphrase, env } = context
  const { fd, command } = passphrase
  if (command !== undefined) {
    const bytes = await firstLineOf(context, command)
    if (bytes.length <= PASSPHRASE_BYTES_MAX) return firstLine(bytes, "the passphrase command's first line")
    const message = `the passphrase command's first line has more than ${PASSPHRASE_BYTES_MAX} bytes`
    throw new Fault("bad-data", message)
  }
  const file = passphrase.file ?? (fd === undefined ? credentialFile(env) : undefined)
  if (file !== undefined) return firstLine(readSmallFile(file, PASSPHRASE_BYTES_MAX), file)
  if (fd !== undefined)
    return firstLine(readFd(fd, `descriptor ${fd}`, PASSPHRASE_BYTES_MAX), `descriptor ${fd}`)
  return undefined
}

/** Whether the user need not be asked. */
export function hasPassphrase({ passphrase, env }: Context): boolean {
  return Object.keys(passphrase).length > 0 || credentialFile(env) !== undefined
}

/** The passphrase that opens something of ours. */
export async function passphraseToOpen(context: Context): Promise<string> {
  const given = await givenPassphrase(context)
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

/** What decides the passphrase of a backup. */
type BackupPassphrase = {
  /** A file with one of its own. */
  readonly file: string | undefined
  /** That of the keys, if they were just opened with one. */
  readonly known: string
  /** What it is a backup of. */
  readonly what: SafeText
}

/** The passphrase of a new backup: its own, else the one that was given, else asked twice. */
export async function newBackupPassphrase(
  context: Context,
  { file, known, what }: BackupPassphrase,
): Promise<string> {
  if (file !== undefined) return (await givenPassphrase({ ...context, passphrase: { file } })) ?? ""
  // A descriptor can be read once.
  const given = hasPassphrase(context) && known !== "" ? known : await givenPassphrase(context)
  if (given !== undefined) return given
  const flag = `--backup-passphrase-file FILE, ${PASSPHRASE_FLAG}`
  const first = await askSecret(context, { message: safe`Passphrase for ${what}:`, flag })
  if (first === "") return first
  const again = await askSecret(context, { message: safe`The same again:`, flag })
  if (first !== again) throw new Fault("usage", "the two passphrases are not the same", "try again")
  return first
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
