import { renameSync, writeFileSync } from "node:fs"
import { diskFault, Fault } from "../../errors.ts"
import { DEFAULT_PORT, formatAddress, parseAddress } from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import type { BrokerKeys } from "./keys.ts"
import type { Context } from "../context.ts"
import { choosePlace, type ListenWish, type Place } from "../listen.ts"
import { hostsOf } from "./serve.ts"

/** Where a broker of another make is to listen. */
export type LayoutWish = ListenWish & {
  /** What others type, if it is not the address where it listens. */
  readonly host?: string
  readonly port?: number
}

/** Everywhere under the name that is given, or as `mqttchat broker` listens. */
export async function placeFor(context: Context, { host, ...wish }: LayoutWish): Promise<Place> {
  if (host === undefined) return choosePlace(context, wish, undefined)
  const named = parseAddress(host)
  if (named === undefined || formatAddress({ ...named, port: DEFAULT_PORT }) !== host.toLowerCase()) {
    throw new Fault("usage", `${host} is no name of a host`, "--host NAME, and the port by --port")
  }
  const place = await choosePlace(context, wish, { listen: "0.0.0.0", host: named.host })
  return { ...place, host: named.host }
}

/** Name and text of a file in the folder that is laid out. */
export type Files = Readonly<Record<string, string>>

/** What every broker needs: the authority, and a new certificate for this place with its key. PEM. */
export async function certificateFiles({ authority }: BrokerKeys, place: Place): Promise<Files> {
  const { makeServerCertificate } = await import("../../broker/certificates.ts")
  const server = await makeServerCertificate(authority, hostsOf(place))
  return {
    "ca.crt": authority.caCertificate,
    "server.key": server.key,
    "server.crt": `${server.certificate}\n${authority.caCertificate}`,
  }
}

/** Puts each file (0600) in its place in one step. */
export function putFiles(folder: string, files: Files): void {
  for (const [name, text] of Object.entries(files)) {
    const path = `${folder}/${name}`
    try {
      writeFileSync(`${path}.new`, text, { mode: 0o600 })
      renameSync(`${path}.new`, path)
    } catch (cause) {
      throw diskFault(cause, `write ${path}`)
    }
  }
}

/** Says what starts the broker and its registrar. */
export function tellLines({ out }: Context, folder: string, start: readonly string[]): void {
  out.done(safe`written to ${display(folder)}`)
  out.say(safe`what starts it, each line in a terminal of its own:\n`)
  for (const line of start) out.data(safe`${display(line)}`)
}
