import { existsSync } from "node:fs"
import { Fault } from "../../errors.ts"
import { setAside } from "../../fs/set-aside.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import { lookAtSettings, type Settings, writeSettings } from "../../settings.ts"
import { userName } from "../../os-user.ts"
import { shellCommand } from "../../shell-command.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { firstFitName } from "../terminal/names.ts"
import { storedSettings, storeSettings } from "./settings-copy.ts"
import type { Store } from "../../store/message-store.ts"

/** For a user and a profile whose names are both not fit, such as `me`. */
const LAST_NAME = "user"

/**
 * The profile's settings. A file that is missing or damaged is made again from the copy in the message store, and said;
 * the damaged one is kept under another name. The caller holds the lock. Fault `config` for settings that contradict the
 * keys.
 */
export async function openSettings(
  context: Context,
  store: Store,
  credential: StoredCredential | undefined,
): Promise<Settings> {
  const found = lookAtSettings(context.paths.settings)
  const settings = found.kind === "whole" ? found.settings : await recover(context, store)
  refuseContradiction(context.paths.settings, settings, credential)
  await storeSettings(store, settings)
  return settings
}

async function recover(context: Context, store: Store): Promise<Settings> {
  const { paths, out } = context
  const copy = await storedSettings(store)
  const settings = copy ?? blankSettings(context)
  const aside = setAside(paths.settings)
  await writeSettings(paths.settings, settings)
  const was = aside === undefined ? safe`were missing` : safe`were damaged (now ${display(aside)})`
  out.warn(safe`the settings ${was}; ${display(paths.settings)} is made again from the message store`)
  if (copy === undefined)
    out.warn(safe`the message store holds no copy, so your name is now ${display(settings.name)}`)
  return settings
}

/** For a store that never had a copy: what can be known without one. */
function blankSettings({ env, paths, profile }: Context): Settings {
  const name = firstFitName([userName(env), profile]) ?? LAST_NAME
  return { name, here: existsSync(paths.broker) }
}

/** A device's certificate is for a broker with TLS; another process of the user may have edited the file. */
export function refuseContradiction(
  path: string,
  { broker }: Settings,
  credential: StoredCredential | undefined,
): void {
  const takesTls = credential !== undefined && credential.kind !== "account"
  if (!takesTls || broker?.trust.kind !== "insecure") return
  throw new Fault(
    "config",
    `the settings ${path} say that the broker has no TLS, but this profile's credential needs it`,
    `${shellCommand`mv ${path} ${`${path}.old`}`}, then: mqttchat status`,
  )
}
