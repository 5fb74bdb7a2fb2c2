import { Fault } from "../../errors.ts"
import { readSettings, type Settings, writeSettings } from "../../settings.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { CONFIG_NAMES, configKey, type ConfigName } from "./config-keys.ts"
import { ownerOrLock } from "./open-client.ts"

/** Prints the value of a key. Fault `not-found` while nothing is set. */
export function getConfig({ paths, profile, out }: Context, name: ConfigName): Promise<void> {
  const value = configKey(name).read(settingsOf(paths.settings, profile))
  if (out.json) out.record("mqttchat/config/1", { key: name, value: value ?? null })
  else if (value !== undefined) out.data(display(value))
  else throw new Fault("not-found", `${name} is not set`, `mqttchat config set ${name} VALUE`)
  return Promise.resolve()
}

/** Prints all keys with their values. */
export function listConfig({ paths, profile, out }: Context): Promise<void> {
  const settings = settingsOf(paths.settings, profile)
  const width = Math.max(...CONFIG_NAMES.map((name) => name.length))
  for (const name of CONFIG_NAMES) {
    const value = configKey(name).read(settings)
    if (out.json) out.record("mqttchat/config/1", { key: name, value: value ?? null })
    else out.data(safe`${display(name.padEnd(width))}  ${display(value ?? "(not set)")}`)
  }
  return Promise.resolve()
}

/** Changes a key, also in a process that has the profile open. Fault `usage` for a value that does not fit. */
export async function setConfig(context: Context, name: ConfigName, typed: string): Promise<void> {
  const { paths, profile, out } = context
  const { read, write } = configKey(name)
  if (write === undefined)
    throw new Fault("usage", `${name} cannot be set by itself`, "mqttchat config set broker HOST --pin PIN")
  // What does not fit is refused before anything else is asked.
  write(settingsOf(paths.settings, profile), typed)
  const owner = await ownerOrLock(context)
  const changed = write(settingsOf(paths.settings, profile), typed)
  await writeSettings(paths.settings, changed)
  await owner?.call("reload-settings", {}).catch(ignoreLocked)
  out.done(safe`${display(name)} is ${display(read(changed) ?? "not set")}`)
}

/** A daemon whose keys are locked reads the settings when it is unlocked. */
function ignoreLocked(fault: unknown): void {
  if (!(fault instanceof Fault) || fault.code !== "locked") throw fault
}

function settingsOf(path: string, profile: string): Settings {
  const settings = readSettings(path)
  if (settings !== undefined) return settings
  throw new Fault("no-profile", `there is no profile ${profile} yet`, "mqttchat init")
}
