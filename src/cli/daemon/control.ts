import { setTimeout } from "node:timers/promises"
import type { Results } from "../../engine/api.ts"
import { connectAnyVersion, connectRpc, type RpcClient } from "../../daemon/client.ts"
import { Fault } from "../../errors.ts"
import { lockHolder } from "../../fs/lock-file.ts"
import { display, safe } from "../../wire/text.ts"
import type { Action, Context } from "../terminal/context.ts"
import { passphraseToOpen } from "../terminal/passphrase.ts"
import { silentOwner, silentProcess } from "../terminal/silent-process.ts"

/** After this long, tell the user which process to look at. */
const END_WAIT_MS = 15_000
const END_POLL_MS = 20

/** Opens the keys that the daemon holds. Faults `refused` for a wrong passphrase, `unavailable` without a daemon. */
async function unlockDaemon(context: Context): Promise<void> {
  const daemon = await connectDaemon(context)
  await daemon.request("unlock", { passphrase: await passphraseToOpen(context) })
  context.out.done(safe`the keys are unlocked`)
}

/** Faults `refused` where no passphrase locks them, `unavailable` without a daemon. */
async function lockDaemon(context: Context): Promise<void> {
  await (await connectDaemon(context)).request("lock", {})
  context.out.done(safe`the keys are locked`)
}

/** Resolves when the profile is free again. Fault `unavailable` without a daemon, or if it does not end. */
async function stopDaemon(context: Context): Promise<void> {
  const { paths, out } = context
  const daemon = await connectDaemon(context, "any")
  const pid = lockHolder(paths.lock)
  const deadline = performance.now() + END_WAIT_MS
  await daemon.request("stop", {})
  while (pid !== undefined && lockHolder(paths.lock) === pid) {
    if (performance.now() > deadline) throw silentProcess("the daemon, which was asked to end,", pid)
    await setTimeout(END_POLL_MS)
  }
  out.done(safe`the daemon has ended`)
}

/** Fault `unavailable` without a daemon. */
async function daemonStatus(context: Context): Promise<void> {
  const { out } = context
  const result = await (await connectDaemon(context)).request("status", {})
  // The other end is this same program, run by this same user.
  const status = result as Results["status"]
  if (out.json) {
    out.record("mqttchat/status/1", status)
    return
  }
  const { connection } = status
  out.data(safe`keys      ${status.locked ? safe`locked` : safe`open`}`)
  out.data(safe`link      ${connection.kind === "online" ? safe`connected` : display(connection.reason)}`)
  if (status.locked) out.next(safe`  → mqttchat daemon unlock`)
}

async function connectDaemon(
  { paths, profile, lifetime, debug }: Context,
  version: "same" | "any" = "same",
): Promise<RpcClient> {
  const options = { debug, silence: silentOwner(paths) }
  const daemon =
    version === "any"
      ? await connectAnyVersion(paths.socket, options)
      : await connectRpc(paths.socket, "owner", options)
  if (daemon === undefined)
    throw new Fault("unavailable", `no daemon is running for the profile ${profile}`, "mqttchat daemon")
  lifetime.defer(daemon.close)
  return daemon
}

/** The commands for a running daemon, by name. */
export const CONTROLS = {
  unlock: unlockDaemon,
  lock: lockDaemon,
  stop: stopDaemon,
  status: daemonStatus,
} as const satisfies Readonly<Record<string, Action>>
