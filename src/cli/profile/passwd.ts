import { Fault } from "../../errors.ts"
import { systemRandom } from "../../crypto/random.ts"
import { changePassphrase, needsPassphrase, type SealedTarget } from "../../keystore/sealed-file.ts"
import { takeLock } from "../../fs/lock-file.ts"
import { display, safe } from "../../wire/text.ts"
import { brokerKeyPlace } from "../broker/keys.ts"
import type { Context } from "../context.ts"
import { givenPassphrase, newPassphrase, passphraseToOpen } from "../passphrase.ts"

export type PasswdOptions = {
  readonly newPassphraseFile?: string
  /** False for --no-passphrase. */
  readonly passphrase: boolean
}

/** Seals the keys of the profile under another passphrase. */
export async function passwd(context: Context, options: PasswdOptions): Promise<void> {
  const { keyFile: path, lock } = context.paths
  await reseal(context, options, { place: { path, purpose: "identity" }, lock, command: "mqttchat passwd" })
}

/** The same with the keys of broker and registrar. */
export async function brokerPasswd(context: Context, options: PasswdOptions): Promise<void> {
  const { brokerLock: lock } = context.paths
  await reseal(context, options, { place: brokerKeyPlace(context), lock, command: "mqttchat broker passwd" })
}

type Sealed = { readonly place: SealedTarget; readonly lock: string; readonly command: string }

/** Nobody may have the keys open: they would be saved under the old passphrase. */
async function reseal(context: Context, options: PasswdOptions, sealed: Sealed): Promise<void> {
  const { lifetime, out } = context
  const { place } = sealed
  const locked = await needsPassphrase(place)
  const lock = takeLock(sealed.lock)
  if (lock.kind === "held") {
    const message = `mqttchat is running with these keys (process ${lock.pid})`
    throw new Fault("unavailable", message, `end it, then: ${sealed.command}`)
  }
  lifetime.defer(lock.release)
  const from = locked ? await passphraseToOpen(context) : ""
  const to = await wished(context, options)
  await changePassphrase(place, { from, to }, systemRandom)
  out.done(
    to === "" ? safe`the keys are no longer locked` : safe`${display(place.path)} has a new passphrase`,
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
