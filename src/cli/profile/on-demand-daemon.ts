import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, realpathSync } from "node:fs"
import { resolve } from "node:path"
import { setTimeout } from "node:timers/promises"
import { connectOwner } from "../../daemon/client.ts"
import { needsPassphrase } from "../../keystore/sealed-file.ts"
import { withWholeDebugPath } from "../../debug-output.ts"
import type { ProfilePaths } from "../../paths.ts"
import type { Context } from "../terminal/context.ts"
import { silentOwner } from "../terminal/silent-process.ts"
import { credentialFile } from "../terminal/passphrase.ts"

/** How long it stays without a request: long enough for the next line of a script. */
const IDLE_TIME = "10m"
const READY_POLL_MS = 10

/**
 * Starts a daemon for this profile that outlives this command, and waits until it answers or has ended. Does nothing
 * if the daemon would have to ask for the passphrase: it has no terminal.
 */
export async function startDaemon(context: Context): Promise<void> {
  const { paths, profile, passphrase, env } = context
  const { file, command } = passphrase
  const isGiven = file !== undefined || command !== undefined || credentialFile(env) !== undefined
  if (!isGiven && (await needsPassphrase({ path: paths.keyFile, purpose: "identity" }))) return
  const passphraseArgs = [
    ...(file === undefined ? [] : ["--passphrase-file", resolve(file)]),
    ...(command === undefined ? [] : ["--passphrase-command", command]),
  ]
  const program = realpathSync(process.argv[1] ?? "")
  const args = [
    program,
    "--profile",
    profile,
    "--no-input",
    ...passphraseArgs,
    "daemon",
    "--end-after",
    IDLE_TIME,
  ]
  const daemon = spawn(process.execPath, args, {
    detached: true,
    stdio: "ignore",
    cwd: "/",
    env: withWholeDebugPath(process.env),
  })
  daemon.unref()
  const ended = once(daemon, "exit").then(() => true)
  while (!(await answers(paths))) {
    if (await Promise.race([ended, setTimeout(READY_POLL_MS, false)])) return
  }
}

async function answers(paths: ProfilePaths): Promise<boolean> {
  if (!existsSync(paths.socket)) return false
  const owner = await connectOwner(paths.socket, { silence: silentOwner(paths) })
  await owner?.close()
  return owner !== undefined
}
