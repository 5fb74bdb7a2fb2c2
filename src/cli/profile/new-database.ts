import { LIGHT_BACKENDS, useBackend } from "../../crypto/nacl.ts"
import { systemRandom } from "../../crypto/random.ts"
import { Fault } from "../../errors.ts"
import { takeLock } from "../../fs/lock-file.ts"
import { openKeyFile, wipe } from "../../keystore/keyfile.ts"
import { wholeSettings } from "../../settings.ts"
import { openStore } from "../../store/store.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { passphraseFor } from "./open-client.ts"
import { requireProfile } from "./profile-exists.ts"
import { refuseLostStore } from "./profile-owner.ts"
import { storeSettings } from "./settings-copy.ts"
import { nameStore, setStoreAside } from "./store-files.ts"

/** A store that is gone, damaged, or of another version. */
const UNREADABLE: ReadonlySet<string> = new Set(["damaged-database", "io", "config"])

/**
 * An empty message store for the keys of a profile whose own was lost: identity, name, broker and certificate stay, and
 * contacts pair again. Refuses one that still opens: Fault `exists`.
 */
export async function newDatabase(context: Context): Promise<void> {
  const { paths, lifetime, out, profile, env } = context
  requireProfile(context)
  await useBackend(env["MQTTCHAT_CRYPTO"], LIGHT_BACKENDS)
  const lock = takeLock(paths.lock)
  if (lock.kind === "held") {
    const why = `another mqttchat (process ${lock.pid}) has the profile ${profile}`
    throw new Fault("unavailable", why, "mqttchat daemon stop")
  }
  lifetime.defer(lock.release)
  const { ring } = await openKeyFile(paths.keyFile, await passphraseFor(context), systemRandom)
  lifetime.defer(() => wipe(ring))
  await refuseWhole(paths.database, new Uint8Array(ring.databaseKey))
  await replaceStore(context, ring.databaseKey)
  out.done(safe`empty store made ${display(paths.database)}`)
  out.next(safe`next: mqttchat pair, with each of your contacts`)
}

async function refuseWhole(path: string, key: Uint8Array): Promise<void> {
  try {
    refuseLostStore(path)
    const store = await openStore(path, key)
    await store.load().finally(store.close)
  } catch (cause) {
    if (cause instanceof Fault && UNREADABLE.has(cause.code)) return
    throw cause
  }
  throw new Fault("exists", `the messages in ${path} can be read`, "mqttchat status")
}

/** What is left of the old one is kept under another name. */
async function replaceStore({ paths, out }: Context, key: Uint8Array): Promise<void> {
  const fresh = `${paths.database}.new`
  setStoreAside(fresh)
  const store = await openStore(fresh, new Uint8Array(key))
  const settings = wholeSettings(paths.settings)
  if (settings !== undefined) await storeSettings(store, settings)
  await store.close()
  const { database, log } = setStoreAside(paths.database)
  for (const aside of [database, log])
    if (aside !== undefined) out.info(safe`the old one is kept in ${display(aside)}`)
  nameStore(fresh, paths.database)
}
