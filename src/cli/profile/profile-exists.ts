import { existsSync } from "node:fs"
import { Fault } from "../../errors.ts"
import type { Context } from "../terminal/context.ts"

type ProfileContext = Pick<Context, "paths" | "profile">

export function hasProfile({ paths }: ProfileContext): boolean {
  return existsSync(paths.keyFile)
}

/** Fault `no-profile`. */
export function requireProfile(context: ProfileContext): void {
  if (!hasProfile(context)) throw noProfile(context)
}

/** What to say without a key file. Messages without it are no profile, but they must not look like nothing. */
function noProfile({ paths, profile }: ProfileContext): Fault {
  if (!existsSync(paths.database))
    return new Fault("no-profile", `there is no profile ${profile} yet`, "mqttchat init")
  return new Fault(
    "no-profile",
    `the key file ${paths.keyFile} is missing, and without it the messages of the profile ${profile} cannot be read`,
    "put back a copy of it, or start again with: mqttchat init; the messages are kept under another name",
  )
}
