import { createReadStream } from "node:fs"
import { readRecords, type ReadBackup } from "../../backup/records.ts"
import { fillStore, restoredBroker, restoredCredential } from "../../engine/backup/import.ts"
import { useBackend } from "../../crypto/nacl.ts"
import { systemRandom } from "../../crypto/random.ts"
import { identityOf } from "../../keystore/identity.ts"
import { createKeyRing } from "../../keystore/keyfile.ts"
import { readStream } from "../../keystore/sealed-stream.ts"
import { takeLock } from "../../fs/lock-file.ts"
import { display, safe } from "../../wire/text.ts"
import { settingsOf } from "./broker-settings.ts"
import type { Context } from "../terminal/context.ts"
import { unreadable } from "../terminal/input.ts"
import { warnInsecure } from "./insecure-transport.ts"
import { waitUntilCaughtUp, onlineHint } from "./connection-status.ts"
import { failpointOf, type ImportFailpoint } from "./failpoint.ts"
import { becomeOwner } from "./profile-owner.ts"
import { givenPassphrase, PASSPHRASE_FLAG } from "../terminal/passphrase.ts"
import { makeProfile, refuseExisting } from "./profile.ts"
import { askSecret } from "../terminal/prompts.ts"
import { countOf } from "../terminal/format.ts"

export type ImportOptions = {
  /** Passphrase for the keys, if not that of the backup. */
  readonly newPassphraseFile?: string
  /** False for --no-passphrase. */
  readonly passphrase: boolean
}

/**
 * Makes the profile of a backup on this machine and brings it online, where it replaces the machine that the backup is
 * from. If this stops half-way, there is no profile, or one that completes the restore by itself. Faults `exists`,
 * `bad-data`, `refused`, `disk-full`, `io`.
 */
export async function importBackup(context: Context, file: string, options: ImportOptions): Promise<void> {
  refuseExisting(context, `import ${file}`)
  const failpoint: ImportFailpoint = failpointOf(context.env)
  await useBackend(context.env["MQTTCHAT_CRYPTO"])
  const sealed = await readStream(bytesOf(context, file), file === "-" ? "what came on stdin" : file)
  const passphrase = await passphraseOf(context, file)
  const backup = await readRecords(sealed.unlock(passphrase))
  const ownPassphrase = await chosenPassphrase(context, options, passphrase)
  await restore(context, backup, { passphrase: ownPassphrase, failpoint })
  if (ownPassphrase === passphrase) context.out.info(safe`the passphrase of the backup also unlocks the keys`)
  failpoint("import-made")
  await goOnline(context, ownPassphrase)
}

async function* bytesOf({ lifetime }: Context, file: string): AsyncGenerator<Uint8Array> {
  const source = file === "-" ? process.stdin : createReadStream(file)
  lifetime.defer(() => void source.destroy())
  try {
    yield* source as AsyncIterable<Uint8Array>
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

/** One passphrase for both, unless another is given. */
async function chosenPassphrase(
  context: Context,
  options: ImportOptions,
  passphrase: string,
): Promise<string> {
  const { newPassphraseFile: file, passphrase: wanted } = options
  if (!wanted) return ""
  return file === undefined
    ? passphrase
    : ((await givenPassphrase({ ...context, passphrase: { file } })) ?? "")
}

async function passphraseOf(context: Context, file: string): Promise<string> {
  const given = await givenPassphrase(context)
  if (given !== undefined) return given
  // stdin carries the backup, so it cannot be used to ask.
  const askContext = { ...context, isInteractive: context.isInteractive && file !== "-" }
  return askSecret(askContext, { message: safe`Passphrase of the backup:`, flag: PASSPHRASE_FLAG })
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
