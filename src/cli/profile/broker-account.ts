import { toBase64url } from "../../crypto/bytes.ts"
import { systemRandom } from "../../crypto/random.ts"
import { Fault } from "../../errors.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import { safe } from "../../wire/text.ts"
import { ID_BYTES } from "../../wire/topics.ts"
import type { Context } from "../terminal/context.ts"
import { PASSWORD_BYTES_MAX, passwordFrom, readStdinText } from "../terminal/input.ts"
import { askSecret } from "../terminal/prompts.ts"

export type AccountOptions = {
  readonly username?: string
  /** `-` for stdin. */
  readonly passwordFile?: string
}

type Account = Extract<StoredCredential, { kind: "account" }>

/** A broker without our registrar knows us by an account or not at all, so we choose the device id. */
export async function chosenAccount(context: Context, options: AccountOptions): Promise<Account> {
  const { username, passwordFile } = options
  if (passwordFile !== undefined && username === undefined)
    throw new Fault("usage", "a password needs a user name", "mqttchat init --username NAME")
  const deviceId = toBase64url(systemRandom(ID_BYTES))
  if (username === undefined) return { kind: "account", deviceId }
  const password = await chosenPassword(context, passwordFile)
  return { kind: "account", deviceId, username, ...(password === "" ? {} : { password }) }
}

/** Never an argument or a variable of the environment, which other users of the machine may see. */
async function chosenPassword(context: Context, file: string | undefined): Promise<string> {
  if (file === "-") return firstLine(await readStdinText(PASSWORD_BYTES_MAX))
  if (file !== undefined) return passwordFrom(file)
  if (!context.isInteractive) return ""
  const message = safe`Password of this account at the broker (empty = none):`
  return askSecret(context, { message, flag: "--password-file FILE" })
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? ""
}
