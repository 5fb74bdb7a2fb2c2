import { writeSettings } from "../../settings.ts"
import { safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { settingsFor } from "./change-settings.ts"

/** Sets whether commands that find no owner of the profile start a daemon. */
export async function setOnDemand(context: Context, onDemand: boolean): Promise<void> {
  const { paths, out } = context
  const settings = await settingsFor(context)
  await writeSettings(paths.settings, { ...settings, onDemand })
  out.done(onDemand ? safe`send, inbox and others start a daemon` : safe`no command starts a daemon`)
}
