import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import { Fault } from "../../../errors.ts"
import { makePrivateFolder } from "../../../fs/private-folder.ts"
import { DEFAULT_PORT, formatAddress } from "../../../wire/address.ts"
import { brokerKeys } from "../../broker/keys.ts"
import type { Context } from "../../terminal/context.ts"
import {
  certificateFiles,
  type ExternalBrokerOptions,
  bindAddressFor,
  writeConfig,
  printStartCommands,
} from "../../broker/config-files.ts"
import { ANY_ADDRESS } from "../../broker/bind-address.ts"
import { PLUGINS, rabbitmqConfiguration, rabbitmqEnvironment } from "./rabbitmq-files.ts"
import { shellCommand } from "../../../shell-command.ts"

const REGISTRAR_PORT = 15_880
/** Not Debian's `rabbitmq-server` in /usr/sbin: that changes to another user and uses the system's folders. */
const DEBIAN_PATH = "/usr/lib/rabbitmq/bin/rabbitmq-server"
/** The configuration takes a path unquoted, up to the end of the line or a comment; a shell reads it in quotes. */
const PATH = /^[^\p{Cc}'#]+$/u

export type RabbitmqOptions = ExternalBrokerOptions & { readonly registrarPort?: number }

/**
 * Writes a folder from which one node of RabbitMQ runs under the authority of this profile's broker. Run again for the
 * same folder, it renews the server's certificate. Fault `config` for a folder that others may enter.
 */
export async function writeRabbitmqFolder(
  context: Context,
  typed: string,
  options: RabbitmqOptions,
): Promise<void> {
  const folder = resolve(typed)
  if (!PATH.test(folder)) throw new Fault("usage", "RabbitMQ cannot read a folder of this name")
  const { port = DEFAULT_PORT, registrarPort = REGISTRAR_PORT } = options
  if (port === registrarPort) {
    throw new Fault("usage", "clients and the registrar need a port each", "mqttchat broker rabbitmq --help")
  }
  const bindAddress = await bindAddressFor(context, options)
  for (const made of [context.paths.broker, folder, join(folder, "data"), join(folder, "log")]) {
    makePrivateFolder(made)
  }
  const listen = ANY_ADDRESS.includes(bindAddress.listen) ? undefined : bindAddress.listen
  await writeConfig(folder, {
    ...(await certificateFiles(await brokerKeys(context), bindAddress)),
    enabled_plugins: PLUGINS,
    "rabbitmq.conf": rabbitmqConfiguration({ folder, listen, port, registrarPort }),
    "rabbitmq-env.conf": rabbitmqEnvironment(folder),
  })
  printResult(context, folder, { members: formatAddress({ host: bindAddress.host, port }), registrarPort })
}

function printResult(
  context: Context,
  folder: string,
  { members, registrarPort }: { readonly members: string; readonly registrarPort: number },
): void {
  const program = existsSync(DEBIAN_PATH) ? DEBIAN_PATH : "rabbitmq-server"
  const start = [
    shellCommand`RABBITMQ_CONF_ENV_FILE=${join(folder, "rabbitmq-env.conf")} ${program}`,
    shellCommand`mqttchat registrar --broker ${members} --rabbitmq ${registrarPort}`,
  ]
  if (context.out.json) context.out.report.record("mqttchat/rabbitmq/1", { folder, members, start })
  else printStartCommands(context, folder, start)
}
