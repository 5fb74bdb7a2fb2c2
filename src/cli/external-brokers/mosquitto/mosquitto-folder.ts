import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import { systemRandom } from "../../../crypto/random.ts"
import { Fault } from "../../../errors.ts"
import { makePrivateFolder } from "../../../fs/private-folder.ts"
import { DEFAULT_PORT, formatAddress } from "../../../wire/address.ts"
import { type BrokerKeys, brokerKeys } from "../../broker/keys.ts"
import { userName } from "../../../os-user.ts"
import type { Context } from "../../terminal/context.ts"
import {
  certificateFiles,
  type ExternalBrokerOptions,
  bindAddressFor,
  writeConfig,
  printStartCommands,
} from "../../broker/config-files.ts"
import { ANY_ADDRESS, type BindAddress } from "../../broker/bind-address.ts"
import { DEVICES_ACL, GUESTS_ACL } from "./mosquitto-acl.ts"
import { mosquittoConfiguration } from "./mosquitto-files.ts"
import { shellCommand } from "../../../shell-command.ts"

const GUEST_PORT = 8884
/** Where Debian puts it, which is not in every user's PATH. */
const DEBIAN_PATH = "/usr/sbin/mosquitto"
/** The configuration is read line by line, and the commands below quote the path for a shell. */
const PATH = /^[^\p{Cc}']+$/u
const CRL_FILE = "crl.pem"
const PID_FILE = "mosquitto.pid"

export type MosquittoOptions = ExternalBrokerOptions & { readonly guestPort?: number }

type MosquittoAddresses = {
  readonly bindAddress: BindAddress
  readonly port: number
  readonly guestPort: number
}

/**
 * Writes a folder from which Mosquitto runs under the authority of this profile's broker. Run again for the same
 * folder, it renews the server's certificate. Fault `config` for a folder that others may enter.
 */
export async function writeMosquittoFolder(
  context: Context,
  typed: string,
  options: MosquittoOptions,
): Promise<void> {
  const folder = resolve(typed)
  if (!PATH.test(folder)) throw new Fault("usage", "Mosquitto cannot read a folder of this name")
  const { port = DEFAULT_PORT, guestPort = GUEST_PORT } = options
  if (port === guestPort) {
    throw new Fault("usage", "devices and guests need a port each", "mqttchat broker mosquitto --help")
  }
  const addresses = { bindAddress: await bindAddressFor(context, options), port, guestPort }
  makePrivateFolder(context.paths.broker)
  makePrivateFolder(folder)
  makePrivateFolder(join(folder, "data"))
  await writeFiles(folder, await brokerKeys(context), addresses)
  printResult(context, folder, addresses)
}

async function writeFiles(folder: string, keys: BrokerKeys, addresses: MosquittoAddresses): Promise<void> {
  const { openAuthority } = await import("../../../registrar/authority.ts")
  const { bindAddress, port, guestPort } = addresses
  const { revocationList } = await openAuthority(keys.authority, systemRandom)
  const paths = { folder, data: join(folder, "data"), pidFile: join(folder, PID_FILE) }
  const listen = ANY_ADDRESS.includes(bindAddress.listen) ? undefined : bindAddress.listen
  await writeConfig(folder, {
    ...(await certificateFiles(keys, bindAddress)),
    "devices.acl": DEVICES_ACL,
    "guests.acl": GUESTS_ACL,
    "mosquitto.conf": mosquittoConfiguration({
      ...paths,
      user: mosquittoUser(),
      listen,
      port,
      guestPort,
    }),
  })
  // an existing list may name revoked devices
  const list = join(folder, CRL_FILE)
  if (!existsSync(list)) await writeConfig(folder, { [CRL_FILE]: await revocationList([], Date.now()) })
}

function printResult(
  context: Context,
  folder: string,
  { bindAddress, port, guestPort }: MosquittoAddresses,
): void {
  const [members, guests] = [port, guestPort].map((at) => formatAddress({ host: bindAddress.host, port: at }))
  const file = (name: string): string => join(folder, name)
  const start = [
    shellCommand`${existsSync(DEBIAN_PATH) ? DEBIAN_PATH : "mosquitto"} -c ${file("mosquitto.conf")}`,
    shellCommand`mqttchat registrar --broker ${members ?? ""} --guests ${guests ?? ""} --crl ${file(CRL_FILE)} --pid-file ${file(PID_FILE)}`,
  ]
  if (context.out.json) context.out.report.record("mqttchat/mosquitto/1", { folder, members, guests, start })
  else printStartCommands(context, folder, start)
}

/** Started by root, Mosquitto changes to this user. Fault `config` for a user id without a name. */
function mosquittoUser(): string {
  const name = userName(process.env)
  if (name !== undefined) return name
  throw new Fault(
    "config",
    "this user has no name, and Mosquitto wants one to run as",
    "set USER to the name of a user",
  )
}
