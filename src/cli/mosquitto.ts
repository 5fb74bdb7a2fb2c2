import { existsSync, renameSync, writeFileSync } from "node:fs"
import { userInfo } from "node:os"
import { join, resolve } from "node:path"
import { systemRandom } from "../crypto/random.ts"
import { diskFault, Fault } from "../errors.ts"
import { makePrivateFolder } from "../private-folder.ts"
import { DEFAULT_PORT, formatAddress, parseAddress } from "../wire/address.ts"
import { display, safe } from "../wire/text.ts"
import { type BrokerKeys, brokerKeys } from "./broker-keys.ts"
import type { Context } from "./context.ts"
import { ANY, choosePlace, type ListenWish, type Place } from "./listen.ts"
import { DEVICES_ACL, GUESTS_ACL, mosquittoConfiguration } from "./mosquitto-files.ts"
import { hostsOf } from "./serve.ts"

const GUEST_PORT = 8884
/** Where Debian puts it, which is not in everybody's PATH. */
const DEBIANS = "/usr/sbin/mosquitto"
/** A configuration is read line by line; the quotes are the shell's. */
const PATH = /^[^\p{Cc}']+$/u
const REVOCATION_LIST = "crl.pem"
const PID_FILE = "mosquitto.pid"

export type MosquittoOptions = ListenWish & {
  /** What others type, if it is not the address where it listens. */
  readonly host?: string
  readonly port?: number
  readonly guestPort?: number
}

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

/** Everywhere under the name that is given, or as `mqttchat broker` listens. */
async function placeFor(context: Context, { host, ...wish }: MosquittoOptions): Promise<Place> {
  if (host === undefined) return choosePlace(context, wish, undefined)
  const named = parseAddress(host)
  if (named === undefined || formatAddress({ ...named, port: DEFAULT_PORT }) !== host.toLowerCase()) {
    throw new Fault("usage", `${host} is no name of a host`, "--host NAME, and the port by --port")
  }
  const place = await choosePlace(context, wish, { listen: "0.0.0.0", host: named.host })
  return { ...place, host: named.host }
}

async function writeFiles(folder: string, { authority }: BrokerKeys, layout: Layout): Promise<void> {
  const [{ makeServerCertificate }, { openAuthority }] = await Promise.all([
    import("../broker/certificates.ts"),
    import("../registrar/authority.ts"),
  ])
  const { place, port, guestPort } = layout
  const server = await makeServerCertificate(authority, hostsOf(place))
  const { revocationList } = await openAuthority(authority, systemRandom)
  const put = (name: string, text: string): void => replace(join(folder, name), text)
  put("ca.crt", authority.caCertificate)
  put("server.key", server.key)
  put("server.crt", `${server.certificate}\n${authority.caCertificate}`)
  put("devices.acl", DEVICES_ACL)
  put("guests.acl", GUESTS_ACL)
  // a list that is there may name somebody
  if (!existsSync(join(folder, REVOCATION_LIST))) put(REVOCATION_LIST, await revocationList([], Date.now()))
  const own = { folder, data: join(folder, "data"), pidFile: join(folder, PID_FILE) }
  const listen = ANY.includes(place.listen) ? undefined : place.listen
  put(
    "mosquitto.conf",
    mosquittoConfiguration({ ...own, user: userInfo().username, listen, port, guestPort }),
  )
}

function replace(path: string, text: string): void {
  try {
    writeFileSync(`${path}.new`, text, { mode: 0o600 })
    renameSync(`${path}.new`, path)
  } catch (cause) {
    throw diskFault(cause, `write ${path}`)
  }
}

function tell({ out }: Context, folder: string, { place, port, guestPort }: Layout): void {
  const [members, guests] = [port, guestPort].map((at) => formatAddress({ host: place.host, port: at }))
  const file = (name: string): string => `'${join(folder, name)}'`
  const start = [
    `${existsSync(DEBIANS) ? DEBIANS : "mosquitto"} -c ${file("mosquitto.conf")}`,
    `mqttchat registrar --broker ${members ?? ""} --guests ${guests ?? ""} --crl ${file(REVOCATION_LIST)} --pid-file ${file(PID_FILE)}`,
  ]
  if (out.json) {
    out.record("mqttchat/mosquitto/1", { folder, members, guests, start })
    return
  }
  out.done(safe`written to ${display(folder)}`)
  out.say(safe`what starts it, each line in a terminal of its own:\n`)
  for (const line of start) out.data(safe`${display(line)}`)
}
