import type { ChatClient } from "../../engine/api.ts"
import { connectOwner } from "../../daemon/client.ts"
import { ANSWER_WAIT_MS } from "../../daemon/silence-watch.ts"
import { needsPassphrase } from "../../keystore/sealed-file.ts"
import { wholeSettings } from "../../settings.ts"
import type { Context } from "../terminal/context.ts"
import { silentOwner, silentProcess } from "../terminal/silent-process.ts"
import { connectOrLock } from "./connect-or-lock.ts"
import { requireProfile } from "./profile-exists.ts"
import type { OwnerMode } from "./profile-owner.ts"
import { passphraseToOpen } from "../terminal/passphrase.ts"

/** A short command holds the profile for seconds, but several may queue on a slow machine. */
const OWNER_WAIT_MS = 60_000

/** How long the owner may be silent, and what starts one if there is none. */
type OwnerWait = {
  readonly answerMs?: number
  readonly start?: (context: Context) => Promise<void>
}

/** `owner`: whether this process holds the profile, or another one that had it before. */
export type OpenedClient = { readonly client: ChatClient; readonly owner: "us" | "another" }

/**
 * Connects to the profile's owner if there is one. Otherwise this process becomes the owner or, if the settings say so,
 * starts a daemon. Faults `no-profile`, `refused`, `damaged-…`, `unavailable`, `config`.
 */
export async function openClient(
  context: Context,
  mode: OwnerMode,
  answerMs = ANSWER_WAIT_MS,
): Promise<OpenedClient> {
  const start = mode === "shared" ? undefined : startOnDemand
  const owner = await ownerOrLock(context, { answerMs, ...(start && { start }) })
  if (owner !== undefined) return { client: owner, owner: "another" }
  return { client: await openAsOwner(context, mode), owner: "us" }
}

/**
 * A connection to the profile's owner, or undefined if there is none and this process now holds the lock. `start` may
 * start an owner if there is none. Faults `no-profile`, `unavailable`, `config`.
 */
export async function ownerOrLock(
  context: Context,
  { answerMs = ANSWER_WAIT_MS, start }: OwnerWait = {},
): Promise<ChatClient | undefined> {
  const { paths, profile, debug } = context
  const options = { debug, silence: silentOwner(paths), answerMs }
  let mayStart = start
  const connect = async (): Promise<ChatClient | undefined> => {
    const owner = await connectOwner(paths.socket, options)
    if (owner !== undefined || mayStart === undefined) return owner
    requireProfile(context)
    await mayStart(context)
    mayStart = undefined
    return connectOwner(paths.socket, options)
  }
  const beforeLock = (): void => requireProfile(context)
  // A user who gave a shorter time does not want to queue.
  const waitMs = answerMs < ANSWER_WAIT_MS ? answerMs : OWNER_WAIT_MS
  const holder = { connect, beforeLock, lock: paths.lock, waitMs }
  const reached = await connectOrLock(context, holder)
  if (reached.kind === "connected") return reached.client
  if (reached.kind === "locked") return undefined
  throw silentProcess(`another mqttchat that has the profile ${profile}`, reached.pid)
}

/** Most profiles have this off, so the code for it is loaded only if it is on. */
async function startOnDemand(context: Context): Promise<void> {
  if (wholeSettings(context.paths.settings)?.onDemand !== true) return
  await (await import("./on-demand-daemon.ts")).startDaemon(context)
}

/** Loads what an owner needs while the user types the passphrase. */
async function openAsOwner(context: Context, mode: OwnerMode): Promise<ChatClient> {
  const loaded = import("./profile-owner.ts")
  const passphrase = await passphraseFor(context)
  return (await loaded).becomeOwner(context, passphrase, mode)
}

/** Empty if the keys have no passphrase. */
export async function passphraseFor(context: Context): Promise<string> {
  const target = { path: context.paths.keyFile, purpose: "identity" } as const
  return (await needsPassphrase(target)) ? passphraseToOpen(context) : ""
}
