import { Fault } from "../../errors.ts"
import { readSettings, type Settings, wholeSettings, writeSettings } from "../../settings.ts"
import type { Context } from "../terminal/context.ts"
import { Lifetime } from "../terminal/lifetime.ts"
import { openClient, ownerOrLock } from "./open-client.ts"
import { requireProfile } from "./profile-exists.ts"

/**
 * The settings. A lost file is made again: that opens the profile for a moment, or else the process that has it open
 * must end first. Faults as `openClient`.
 */
export async function settingsFor(context: Context): Promise<Settings> {
  requireProfile(context)
  const { settings: path } = context.paths
  const whole = wholeSettings(path)
  if (whole !== undefined) return whole
  const lifetime = new Lifetime()
  try {
    await openClient({ ...context, lifetime }, "brief")
  } finally {
    await lifetime.close()
  }
  const made = readSettings(path)
  if (made !== undefined) return made
  const message = `${path} is missing, and the process that has the profile does not make it again`
  throw new Fault("config", message, "mqttchat daemon stop, then: mqttchat status")
}

/** Writes the settings, and tells the process that has the profile open, if there is one. Gives the new settings. */
export async function changeSettings(
  context: Context,
  change: (settings: Settings) => Settings,
): Promise<Settings> {
  const before = await settingsFor(context)
  const owner = await ownerOrLock(context)
  const changed = change(readSettings(context.paths.settings) ?? before)
  await writeSettings(context.paths.settings, changed)
  await owner?.call("reload-settings", {}).catch(ignoreLocked)
  return changed
}

/** A daemon whose keys are locked reads the settings when it is unlocked. */
function ignoreLocked(fault: unknown): void {
  if (!(fault instanceof Fault) || fault.code !== "locked") throw fault
}
