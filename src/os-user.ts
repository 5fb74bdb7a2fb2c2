import { homedir, userInfo } from "node:os"
import { isAbsolute } from "node:path"
import { Fault } from "./errors.ts"

type Env = Readonly<Record<string, string | undefined>>

/**
 * The user's home folder: HOME, or the one of the password database. Fault `config` if there is neither, as in a container
 * that runs under any user id.
 */
export function homeFolder(env: Env): string {
  for (const find of [() => env["HOME"], homedir, () => userInfo().homedir]) {
    const found = attempted(find)
    if (found !== undefined && isAbsolute(found)) return found
  }
  const message = `there is no home folder: HOME is not set, and user ${userId() ?? "?"} has no entry in the password database`
  throw new Fault(
    "config",
    message,
    "set MQTTCHAT_HOME to a folder of yours, as in: export MQTTCHAT_HOME=/data/mqttchat",
  )
}

/** The user's name; undefined for a user id without one. */
export function userName(env: Env): string | undefined {
  return attempted(() => userInfo().username) ?? env["USER"] ?? env["LOGNAME"]
}

/** Undefined where users have no number. */
export function userId(): number | undefined {
  return process.getuid?.()
}

/** Undefined where the password database has no entry: Node throws then. */
function attempted(find: () => string | undefined): string | undefined {
  try {
    return find() || undefined
  } catch {
    return undefined
  }
}
