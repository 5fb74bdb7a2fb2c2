import { dirname, resolve } from "node:path"
import { Fault } from "../../errors.ts"
import { needsPassphrase } from "../../keystore/sealed-file.ts"
import { requireProfile } from "../profile/profile-exists.ts"
import type { Context } from "../terminal/context.ts"
import type { DaemonOptions } from "./daemon.ts"
import { writeUnit } from "../profile/systemd-unit.ts"

/**
 * A systemd unit that runs this daemon; as `writeUnit`. Faults `no-profile`, `usage` for flags that a service cannot
 * have, and `config` if the keys have a passphrase and no passphrase file was given.
 */
export async function writeDaemonService(
  context: Context,
  target: string | true,
  options: DaemonOptions,
): Promise<void> {
  if (options.stdio === true) throw new Fault("usage", "a service has no stdin to serve", "leave out --stdio")
  const { root, settings, socket } = context.paths
  await writeUnit(context, target, {
    name: `mqttchat-${context.profile}`,
    description: `mqttchat daemon of the profile ${context.profile}`,
    args: ["daemon", ...argsOf(options)],
    credential: await credentialOf(context),
    writablePaths: [...new Set([root, dirname(settings), dirname(socket)])],
  })
}

function argsOf({ tcp, lockAfter, endAfter }: DaemonOptions): string[] {
  return [
    ...(tcp === undefined ? [] : [`--tcp=${tcp.host === "::1" ? "[::1]" : tcp.host}:${tcp.port}`]),
    ...(lockAfter === undefined ? [] : [`--lock-after=${lockAfter}ms`]),
    ...(endAfter === undefined ? [] : [`--end-after=${endAfter}ms`]),
  ]
}

async function credentialOf(context: Context): Promise<string | undefined> {
  requireProfile(context)
  const { paths, passphrase } = context
  if (passphrase.file !== undefined) return resolve(passphrase.file)
  if (!(await needsPassphrase({ path: paths.keyFile, purpose: "identity" }))) return undefined
  throw new Fault(
    "config",
    "the keys have a passphrase, and a service cannot be asked for it",
    "mqttchat --passphrase-file FILE daemon --service",
  )
}
