import { toHex } from "../../crypto/bytes.ts"
import { systemRandom } from "../../crypto/random.ts"
import { Fault } from "../../errors.ts"
import { createKeyFile, type KeyRing } from "../../keystore/keyfile.ts"
import { takeLock } from "../../fs/lock-file.ts"
import { setAside } from "../../fs/set-aside.ts"
import { lookAtSettings, type Settings, writeSettings } from "../../settings.ts"
import { fingerprint } from "../../wire/identity.ts"
import { display, displayName, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { hasProfile } from "./profile-exists.ts"
import { storeSettings } from "./settings-copy.ts"
import { nameStore, removeStore, setStoreAside } from "./store-files.ts"
import { groupDigits } from "../terminal/format.ts"
import type { Store } from "../../store/message-store.ts"

/** As contacts show it. */
const FINGERPRINT_DIGITS = 20

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
  let accountId: Uint8Array
  if (lock.kind === "held")
    throw new Fault("exists", "another command is making this profile", "mqttchat status")
  try {
    refuseExisting(context, profile.by)
    const fresh = `${paths.database}.new`
    accountId = await makeStore(fresh, profile)
    keepOldStore(context)
    nameStore(fresh, paths.database)
    if (lookAtSettings(paths.settings).kind === "damaged") setAside(paths.settings)
    await writeSettings(paths.settings, profile.settings)
    await createKeyFile(paths.keyFile, profile.ring, profile.passphrase, systemRandom)
  } finally {
    lock.release()
  }
  printProfile(context, profile, accountId)
}

/**
 * The store is made only here, so that a store that is missing later is noticed, not silently replaced. Under another
 * name first: one that a dying process leaves is not taken for messages whose key file was lost.
 */
async function makeStore(path: string, { settings, ring, fill }: NewProfile): Promise<Uint8Array> {
  removeStore(path)
  const { openStore } = await import("../../store/store.ts")
  const store = await openStore(path, new Uint8Array(ring.databaseKey))
  try {
    await fill(store)
    const { createAccountIn } = await import("../../engine/accounts/own-account.ts")
    const accountId = await createAccountIn(store, ring.identity)
    await storeSettings(store, settings)
    await store.close()
    return accountId
  } catch (cause) {
    await store.close()
    removeStore(path)
    throw cause
  }
}

/** Messages whose key file is missing: a copy of it may still exist. */
function keepOldStore({ paths, out }: Context): void {
  const { database, log } = setStoreAside(paths.database)
  const aside = database ?? log
  if (aside === undefined) return
  out.warn(safe`messages without a key file were here; they are kept in ${display(aside)}`)
}

function printProfile(
  { out, paths }: Context,
  { settings, passphrase }: NewProfile,
  accountId: Uint8Array,
): void {
  out.done(safe`keys made        ${display(paths.keyFile)}${passphrase === "" ? safe`` : safe`, locked`}`)
  const print = groupDigits(toHex(fingerprint(accountId)).slice(0, FINGERPRINT_DIGITS))
  if (out.json)
    out.report.record("mqttchat/profile/1", { name: settings.name, fingerprint: print.replaceAll(" ", "") })
  else out.report.data(safe`${displayName(settings.name)}  ${print}`)
}
