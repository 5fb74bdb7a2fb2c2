import { Fault } from "../../errors.ts"
import { replaceFile } from "../../fs/atomic-file.ts"
import { DEFAULT_PORT, formatAddress, parseAddress } from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import type { BrokerKeys } from "./keys.ts"
import type { Context } from "../terminal/context.ts"
import { chooseBindAddress, type ListenOptions, type BindAddress } from "./bind-address.ts"
import { hostsOf } from "./serve.ts"

/** Where an external broker listens. */
export type ExternalBrokerOptions = ListenOptions & {
  /** The host that others type, if not the address it listens on. */
  readonly host?: string
  readonly port?: number
}

/** On every address if a name is given, else as `mqttchat broker` listens. */
export async function bindAddressFor(
  context: Context,
  { host, ...listenOptions }: ExternalBrokerOptions,
): Promise<BindAddress> {
  if (host === undefined) return chooseBindAddress(context, listenOptions, undefined)
  const address = parseAddress(host)
  if (address === undefined || formatAddress({ ...address, port: DEFAULT_PORT }) !== host.toLowerCase()) {
    throw new Fault("usage", `${host} is not a host name`, "--host NAME, and the port by --port")
  }
  const bindAddress = await chooseBindAddress(context, listenOptions, {
    listen: "0.0.0.0",
    host: address.host,
  })
  return { ...bindAddress, host: address.host }
}

/** Name and text of a file in the folder. */
export type ConfigFiles = Readonly<Record<string, string>>

/** What every broker needs: the authority, and a new certificate for this address with its key. PEM. */
export async function certificateFiles(
  { authority }: BrokerKeys,
  bindAddress: BindAddress,
): Promise<ConfigFiles> {
  const { makeServerCertificate } = await import("../../broker/certificates.ts")
  const server = await makeServerCertificate(authority, hostsOf(bindAddress))
  return {
    "ca.crt": authority.caCertificate,
    "server.key": server.key,
    "server.crt": `${server.certificate}\n${authority.caCertificate}`,
  }
}

/** Writes each file (0600) atomically. */
export async function writeConfig(folder: string, files: ConfigFiles): Promise<void> {
  for (const [name, text] of Object.entries(files)) await replaceFile(`${folder}/${name}`, text)
}

/** Prints the commands that start the broker and its registrar. */
export function printStartCommands({ out }: Context, folder: string, commands: readonly string[]): void {
  out.done(safe`written to ${display(folder)}`)
  out.info(safe`to start it, run each line in a terminal of its own:\n`)
  for (const line of commands) out.report.data(safe`${display(line)}`)
}
