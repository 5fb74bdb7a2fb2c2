import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import { Fault } from "../../errors.ts"
import { needsPassphrase } from "../../keystore/sealed-file.ts"
import type { Context } from "../terminal/context.ts"
import type { BrokerOptions } from "./serve.ts"
import { writeUnit } from "../profile/systemd-unit.ts"

/**
 * A systemd unit that runs this broker; as `writeUnit`. Faults `config` if the broker's keys have a passphrase and no
 * passphrase file was given, and those of the disk.
 */
export async function writeService(
  context: Context,
  target: string | true,
  options: BrokerOptions,
): Promise<void> {
  await writeUnit(context, target, {
    name: `mqttchat-broker-${context.profile}`,
    description: `mqttchat broker of the profile ${context.profile}`,
    args: ["broker", ...argsOf(options)],
    credential: await credentialOf(context),
    writablePaths: [context.paths.root],
  })
}

/** The flags of this command, for the command in the unit. */
function argsOf({ lan, loopback, listen, port, wss, perAddress, metrics }: BrokerOptions): string[] {
  const valued = Object.entries({ listen, port, wss, "per-address": perAddress, metrics })
  return [
    ...(lan === true ? ["--lan"] : []),
    ...(loopback === true ? ["--loopback"] : []),
    ...valued.flatMap(([name, value]) => {
      if (value === undefined) return []
      return value === true ? [`--${name}`] : [`--${name}=${value}`]
    }),
  ]
}

/** The passphrase file that systemd hands to the broker; undefined if the keys have no passphrase. */
async function credentialOf({ paths, passphrase }: Context): Promise<string | undefined> {
  if (passphrase.file !== undefined) return resolve(passphrase.file)
  const target = { path: join(paths.broker, "broker.key"), purpose: "registrar" } as const
  if (!existsSync(target.path) || !(await needsPassphrase(target))) return undefined
  throw new Fault(
    "config",
    "the broker's keys have a passphrase, and a service cannot be asked for it",
    "mqttchat --passphrase-file FILE broker --service",
  )
}
