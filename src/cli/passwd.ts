import { Fault } from "../errors.ts"
import { systemRandom } from "../crypto/random.ts"
import { changePassphrase, needsPassphrase } from "../keystore/sealed-file.ts"
import { takeLock } from "../lock.ts"
import { display, safe } from "../wire/text.ts"
import type { Context } from "./context.ts"
import { givenPassphrase, newPassphrase, passphraseToOpen } from "./passphrase.ts"

export type PasswdOptions = {
  readonly newPassphraseFile?: string
  /** False for --no-passphrase. */
  readonly passphrase: boolean
}

/** Seals the keys under another passphrase. Nobody may have the profile open: it would save under the old one. */
export async function passwd(context: Context, options: PasswdOptions): Promise<void> {
  const { paths, lifetime, out } = context
  const place = { path: paths.keyFile, purpose: "identity" } as const
  const locked = await needsPassphrase(place)
  const lock = takeLock(paths.lock)
  if (lock.kind === "held") {
    const message = `mqttchat is running in this profile (process ${lock.pid})`
    throw new Fault("unavailable", message, "end it, then: mqttchat passwd")
  }
  lifetime.defer(lock.release)
  const from = locked ? await passphraseToOpen(context) : ""
  const to = await wished(context, options)
  await changePassphrase(place, { from, to }, systemRandom)
  out.done(
    to === "" ? safe`the keys are no longer locked` : safe`${display(paths.keyFile)} has a new passphrase`,
  )
}

async function wished(
  context: Context,
  { newPassphraseFile: file, passphrase }: PasswdOptions,
): Promise<string> {
  if (!passphrase) return ""
  if (file === undefined) return newPassphrase(context, "--new-passphrase-file FILE, or --no-passphrase")
  return givenPassphrase({ ...context, passphrase: { file } }) ?? ""
}
