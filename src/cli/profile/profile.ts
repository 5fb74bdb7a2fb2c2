import { existsSync, rmSync } from "node:fs"
import { toHex } from "../../crypto/bytes.ts"
import { systemRandom } from "../../crypto/random.ts"
import { Fault } from "../../errors.ts"
import { createKeyFile, type KeyRing } from "../../keystore/keyfile.ts"
import { takeLock } from "../../fs/lock-file.ts"
import { type Settings, writeSettings } from "../../settings.ts"
import type { Store } from "../../store/records.ts"
import { fingerprint } from "../../wire/identity.ts"
import { display, displayName, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { groupDigits } from "../terminal/format.ts"

/** As contacts show it. */
const FINGERPRINT_DIGITS = 20

export function hasProfile({ paths }: Context): boolean {
  return existsSync(paths.keyFile)
}

/** Fault `exists`. `namesBroker`: the user may have wanted to change only that. */
export function refuseExisting(context: Context, other: string, namesBroker = false): void {
  if (!hasProfile(context)) return
  const message = `the profile ${context.profile} exists already (${context.paths.keyFile}) and is never overwritten`
  const move = namesBroker ? ", or to change its broker: mqttchat config set broker HOST[:PORT]" : ""
  throw new Fault("exists", message, `mqttchat --profile OTHER ${other}${move}`)
}

export type NewProfile = {
  /** The command that makes it. */
  readonly by: string
  readonly settings: Settings
  readonly ring: KeyRing
  /** Empty for none. */
  readonly passphrase: string
  /** Fills the new store. */
  readonly fill: (store: Store) => Promise<void>
}

/** The key file is written last, and never over another: a process that dies before has made no profile. */
export async function makeProfile(context: Context, profile: NewProfile): Promise<void> {
  const { paths } = context
  const lock = takeLock(paths.lock)
  if (lock.kind === "held")
    throw new Fault("exists", "another command is making this profile", "mqttchat status")
  try {
    refuseExisting(context, profile.by)
    await makeStore(paths.database, profile)
    await writeSettings(paths.settings, profile.settings)
    await createKeyFile(paths.keyFile, profile.ring, profile.passphrase, systemRandom)
  } finally {
    lock.release()
  }
  printProfile(context, profile)
}

/** The store is made only here, so that a store that is missing later is noticed, not silently replaced. */
async function makeStore(path: string, { ring, fill }: NewProfile): Promise<void> {
  // Left by a process that died before it wrote the key file, so its key is lost.
  removeStore(path)
  const { openStore } = await import("../../store/store.ts")
  const store = await openStore(path, new Uint8Array(ring.databaseKey))
  try {
    await fill(store)
    await store.close()
  } catch (cause) {
    await store.close()
    removeStore(path)
    throw cause
  }
}

function removeStore(path: string): void {
  for (const suffix of ["", "-wal"]) rmSync(path + suffix, { force: true })
}

function printProfile({ out, paths }: Context, { settings, ring, passphrase }: NewProfile): void {
  out.done(safe`keys made        ${display(paths.keyFile)}${passphrase === "" ? safe`` : safe`, locked`}`)
  const print = groupDigits(toHex(fingerprint(ring.identity.public)).slice(0, FINGERPRINT_DIGITS))
  if (out.json)
    out.report.record("mqttchat/profile/1", { name: settings.name, fingerprint: print.replaceAll(" ", "") })
  else out.report.data(safe`${displayName(settings.name)}  ${print}`)
}
