import { readRecords, type ReadBackup } from "../../backup/records.ts"
import { fillStore, restoredBroker, restoredCredential } from "../../engine/backup/import.ts"
import { useBackend } from "../../crypto/nacl.ts"
import { systemRandom } from "../../crypto/random.ts"
import { identityOf } from "../../keystore/identity.ts"
import { createKeyRing } from "../../keystore/keyfile.ts"
import { takeLock } from "../../fs/lock-file.ts"
import { display, safe } from "../../wire/text.ts"
import { settingsOf } from "./broker-settings.ts"
import type { Context } from "../terminal/context.ts"
import { warnInsecure } from "./insecure-transport.ts"
import { waitUntilCaughtUp, onlineHint } from "./connection-status.ts"
import { failpointOf, type ImportFailpoint } from "./failpoint.ts"
import { becomeOwner } from "./profile-owner.ts"
import { makeProfile, refuseExisting } from "./profile.ts"
import { type KeyLockOptions, newKeyPassphrase, openSealedInput } from "../terminal/sealed-input.ts"
import { countOf } from "../terminal/format.ts"

/**
 * Makes the profile of a backup on this machine and brings it online, where it replaces the machine that the backup is
 * from. If this stops half-way, there is no profile, or one that completes the restore by itself. Faults `exists`,
 * `bad-data`, `refused`, `disk-full`, `io`.
 */
export async function importBackup(context: Context, file: string, options: KeyLockOptions): Promise<void> {
  refuseExisting(context, `import ${file}`)
  const failpoint: ImportFailpoint = failpointOf(context.env)
  await useBackend(context.env["MQTTCHAT_CRYPTO"])
  const { sealed, passphrase } = await openSealedInput(context, file, "backup")
  const backup = await readRecords(sealed.unlock(passphrase))
  const ownPassphrase = await newKeyPassphrase(context, options, passphrase)
  await restore(context, backup, { passphrase: ownPassphrase, failpoint })
  if (ownPassphrase === passphrase) context.out.info(safe`the passphrase of the backup also unlocks the keys`)
  failpoint("import-made")
  await goOnline(context, ownPassphrase)
}

async function restore(
  context: Context,
  { profile, rest }: ReadBackup,
  { passphrase, failpoint }: { readonly passphrase: string; readonly failpoint: ImportFailpoint },
): Promise<void> {
  const { name, signSecret, boxSecret } = profile
  const broker = restoredBroker(profile)
  let restored = { contacts: 0, messages: 0 }
  await makeProfile(context, {
    by: "import",
    settings: { name, here: false, ...(broker && { broker: settingsOf(broker) }) },
    ring: {
      ...createKeyRing(systemRandom),
      identity: identityOf(signSecret, boxSecret),
      credential: restoredCredential(profile, systemRandom),
    },
    passphrase,
    fill: async (store) => {
      failpoint("import-begun")
      restored = await fillStore(store, rest)
      failpoint("import-filled")
    },
  })
  if (broker?.trust.kind === "insecure") warnInsecure(context)
  const { contacts, messages } = restored
  if (context.out.json) context.out.report.record("mqttchat/imported/1", restored)
  context.out.done(safe`restored         ${countOf(contacts, "contact")}, ${countOf(messages, "message")}`)
}

/** From now on every conversation continues here, and nowhere else. */
async function goOnline(context: Context, passphrase: string): Promise<void> {
  const { lifetime, out, paths } = context
  const lock = takeLock(paths.lock)
  if (lock.kind === "held") return
  lifetime.defer(lock.release)
  const client = await becomeOwner(context, passphrase, "brief")
  const connection = await waitUntilCaughtUp(client)
  if (connection.kind === "online") {
    out.done(safe`connected        every conversation continues here; the other machine is replaced`)
    return
  }
  out.warn(
    safe`not connected yet; conversations continue here after the first connection: ${display(connection.reason)}`,
  )
  const hint = onlineHint(paths, connection)
  if (hint !== undefined) out.next(safe`  → ${display(hint)}`)
}
