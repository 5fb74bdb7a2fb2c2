import { existsSync } from "node:fs"
import type { ChatClient } from "../chat/api.ts"
import { connectOwner } from "../daemon/client.ts"
import { Fault } from "../errors.ts"
import { needsPassphrase } from "../keystore/sealed-file.ts"
import { takeLock } from "../lock.ts"
import type { Context } from "./context.ts"
import type { Stay } from "./owner.ts"
import { passphraseToOpen } from "./passphrase.ts"

/** A command that only answers and ends has the profile for seconds, but several may stand in line on a slow machine. */
const OWNER_WAIT_MS = 60_000
const OWNER_POLL_MS = 50

/** `owner`: whether this process holds the profile, or another one that was there before. */
export type Opened = { readonly client: ChatClient; readonly owner: "us" | "another" }

/**
 * The profile's owner behind its socket if there is one, else this process becomes the owner. Faults `no-profile`,
 * `refused`, `damaged-…`, `unavailable`, `config`.
 */
export async function openClient(context: Context, stay: Stay): Promise<Opened> {
  const { paths, lifetime, profile } = context
  const deadline = Date.now() + OWNER_WAIT_MS
  for (;;) {
    const owner = await connectOwner(paths.socket)
    if (owner !== undefined) {
      lifetime.defer(owner.close)
      return { client: owner, owner: "another" }
    }
    if (!existsSync(paths.keyFile)) {
      throw new Fault("no-profile", `there is no profile ${profile} yet`, "mqttchat init")
    }
    const lock = takeLock(paths.lock)
    if (lock.kind === "taken") {
      lifetime.defer(lock.release)
      return { client: await own(context, stay), owner: "us" }
    }
    if (Date.now() > deadline) {
      const message = `another mqttchat (process ${lock.pid}) has the profile ${profile} and does not answer`
      throw new Fault("unavailable", message, `kill ${lock.pid}, then try again`)
    }
    await new Promise((resolve) => setTimeout(resolve, OWNER_POLL_MS))
  }
}

/** All that an owner needs is loaded while somebody types. */
async function own(context: Context, stay: Stay): Promise<ChatClient> {
  const place = { path: context.paths.keyFile, purpose: "identity" } as const
  const loaded = import("./owner.ts")
  const passphrase = (await needsPassphrase(place)) ? await passphraseToOpen(context) : ""
  return (await loaded).becomeOwner(context, passphrase, stay)
}
