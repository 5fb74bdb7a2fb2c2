import { existsSync } from "node:fs"
import { userInfo } from "node:os"
import { join, resolve } from "node:path"
import { systemRandom } from "../../crypto/random.ts"
import { Fault } from "../../errors.ts"
import { makePrivateFolder } from "../../fs/private-folder.ts"
import { DEFAULT_PORT, formatAddress } from "../../wire/address.ts"
import { type BrokerKeys, brokerKeys } from "./keys.ts"
import type { Context } from "../context.ts"
import { certificateFiles, type LayoutWish, placeFor, putFiles, tellLines } from "./layout.ts"
import { ANY, type Place } from "../listen.ts"
import { DEVICES_ACL, GUESTS_ACL, mosquittoConfiguration } from "./mosquitto-files.ts"

const GUEST_PORT = 8884
/** Where Debian puts it, which is not in everybody's PATH. */
const DEBIANS = "/usr/sbin/mosquitto"
/** A configuration is read line by line; the quotes are the shell's. */
const PATH = /^[^\p{Cc}']+$/u
const REVOCATION_LIST = "crl.pem"
const PID_FILE = "mosquitto.pid"

export type MosquittoOptions = LayoutWish & { readonly guestPort?: number }

type Layout = { readonly place: Place; readonly port: number; readonly guestPort: number }

/**
 * Lays out a folder from which Mosquitto runs under the authority of this profile's broker. Again for the same folder
 * it renews the server's certificate. Fault `config` for a folder that others may enter.
 */
export async function layOutMosquitto(
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
  const layout = { place: await placeFor(context, options), port, guestPort }
  makePrivateFolder(context.paths.broker)
  makePrivateFolder(folder)
  makePrivateFolder(join(folder, "data"))
  await writeFiles(folder, await brokerKeys(context), layout)
  tell(context, folder, layout)
}

async function writeFiles(folder: string, keys: BrokerKeys, layout: Layout): Promise<void> {
  const { openAuthority } = await import("../../registrar/authority.ts")
  const { place, port, guestPort } = layout
  const { revocationList } = await openAuthority(keys.authority, systemRandom)
  const own = { folder, data: join(folder, "data"), pidFile: join(folder, PID_FILE) }
  const listen = ANY.includes(place.listen) ? undefined : place.listen
  putFiles(folder, {
    ...(await certificateFiles(keys, place)),
    "devices.acl": DEVICES_ACL,
    "guests.acl": GUESTS_ACL,
    "mosquitto.conf": mosquittoConfiguration({ ...own, user: userInfo().username, listen, port, guestPort }),
  })
  // a list that is there may name somebody
  const list = join(folder, REVOCATION_LIST)
  if (!existsSync(list)) putFiles(folder, { [REVOCATION_LIST]: await revocationList([], Date.now()) })
}

function tell(context: Context, folder: string, { place, port, guestPort }: Layout): void {
  const [members, guests] = [port, guestPort].map((at) => formatAddress({ host: place.host, port: at }))
  const file = (name: string): string => `'${join(folder, name)}'`
  const start = [
    `${existsSync(DEBIANS) ? DEBIANS : "mosquitto"} -c ${file("mosquitto.conf")}`,
    `mqttchat registrar --broker ${members ?? ""} --guests ${guests ?? ""} --crl ${file(REVOCATION_LIST)} --pid-file ${file(PID_FILE)}`,
  ]
  if (context.out.json) context.out.record("mqttchat/mosquitto/1", { folder, members, guests, start })
  else tellLines(context, folder, start)
}
