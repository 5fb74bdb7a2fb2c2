import { Fault } from "../../errors.ts"
import { readSettings, type Settings, writeSettings } from "../../settings.ts"
import type { Context } from "../terminal/context.ts"
import { ownerOrLock } from "./open-client.ts"

/** Fault `no-profile`. */
export function settingsFor({ paths, profile }: Pick<Context, "paths" | "profile">): Settings {
  const settings = readSettings(paths.settings)
  if (settings !== undefined) return settings
  throw new Fault("no-profile", `there is no profile ${profile} yet`, "mqttchat init")
}

/** Writes the settings, and tells the process that has the profile open, if there is one. Gives the new settings. */
export async function changeSettings(
  context: Context,
  change: (settings: Settings) => Settings,
): Promise<Settings> {
  const owner = await ownerOrLock(context)
  const changed = change(settingsFor(context))
  await writeSettings(context.paths.settings, changed)
  await owner?.call("reload-settings", {}).catch(ignoreLocked)
  return changed
}

/** A daemon whose keys are locked reads the settings when it is unlocked. */
function ignoreLocked(fault: unknown): void {
  if (!(fault instanceof Fault) || fault.code !== "locked") throw fault
}
