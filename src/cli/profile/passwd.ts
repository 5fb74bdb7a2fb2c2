import { Fault } from "../../errors.ts"
import { systemRandom } from "../../crypto/random.ts"
import { changePassphrase, needsPassphrase, type SealedTarget } from "../../keystore/sealed-file.ts"
import { takeLock } from "../../fs/lock-file.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { givenPassphrase, newPassphrase, passphraseToOpen } from "../terminal/passphrase.ts"

export type PasswdOptions = {
  readonly newPassphraseFile?: string
  /** False for --no-passphrase. */
  readonly passphrase: boolean
}

/** Seals the keys of the profile under another passphrase. */
export async function passwd(context: Context, options: PasswdOptions): Promise<void> {
  const { keyFile: path, lock } = context.paths
  await reseal(context, options, { target: { path, purpose: "identity" }, lock, command: "mqttchat passwd" })
}

type ResealRequest = { readonly target: SealedTarget; readonly lock: string; readonly command: string }

/** Refused while a process has the keys open: that process would save them under the old passphrase. */
export async function reseal(
  context: Context,
  options: PasswdOptions,
  request: ResealRequest,
): Promise<void> {
  const { lifetime, out } = context
  const { target } = request
  const locked = await needsPassphrase(target)
  const lock = takeLock(request.lock)
  if (lock.kind === "held") {
    const message = `mqttchat is running with these keys (process ${lock.pid})`
    throw new Fault("unavailable", message, `end it, then: ${request.command}`)
  }
  lifetime.defer(lock.release)
  const from = locked ? await passphraseToOpen(context) : ""
  const to = await chosenPassphrase(context, options)
  await changePassphrase(target, { from, to }, systemRandom)
  out.done(
    to === "" ? safe`the keys are no longer locked` : safe`${display(target.path)} has a new passphrase`,
  )
}

async function chosenPassphrase(
  context: Context,
  { newPassphraseFile: file, passphrase }: PasswdOptions,
): Promise<string> {
  if (!passphrase) return ""
  if (file === undefined) return newPassphrase(context, "--new-passphrase-file FILE, or --no-passphrase")
  return (await givenPassphrase({ ...context, passphrase: { file } })) ?? ""
}
