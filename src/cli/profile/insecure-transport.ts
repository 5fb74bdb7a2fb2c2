import { Fault } from "../../errors.ts"
import {
  type Address,
  type Addresses,
  formatAddress,
  formatAddresses,
  INSECURE_PORT,
  parseAddresses,
} from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import type { FoundBroker } from "./broker-proof.ts"

const INSECURE = { kind: "insecure" } as const
const FLAG = "--insecure-transport"

/** `HOST[:PORT][,...]`: without TLS the usual port is another one. Fault `usage`. */
export function insecureAddresses(typed: string, command: string): Addresses {
  const addresses = parseAddresses(typed, INSECURE_PORT)
  if (addresses !== undefined) return addresses
  throw new Fault(
    "usage",
    `${typed} is not the address of a broker without TLS`,
    `${command} HOST[:PORT] ${FLAG}`,
  )
}

/** A broker that has no TLS shows no key and takes no certificate, so neither a pin nor an invitation is of use there. */
export function refuseContradictions(
  broker: string,
  options: { readonly insecureTransport?: boolean; readonly pin?: string },
  command: string,
): void {
  if (options.insecureTransport !== true) return
  if (options.pin !== undefined)
    throw new Fault("usage", `--pin needs TLS, and ${FLAG} is without`, "leave out one of them")
  if (parseAddresses(broker) !== undefined && broker !== "here" && broker !== "later") return
  const why = `${FLAG} is for the address of a broker that has no TLS`
  throw new Fault("usage", why, `${command} HOST:1883 ${FLAG}`)
}

/** Tries each address. Fault `protocol` for what is no broker without TLS. */
export async function findInsecureBroker(context: Context, addresses: Addresses): Promise<FoundBroker> {
  const { protocolInClear } = await import("../../transport/detect-protocol.ts")
  context.out.info(safe`trying ${display(formatAddresses(addresses))}`)
  const found = await Promise.all(addresses.map(async (at) => ({ at, protocol: await protocolInClear(at) })))
  const wrong = found.find(({ protocol }) => protocol !== "mqtt" && protocol !== "nothing")
  if (wrong !== undefined) throw notPlainMqtt(wrong.at, wrong.protocol === "tls" ? "TLS" : "something else")
  if (found.every(({ protocol }) => protocol === "nothing")) warnSilent(context, addresses)
  return { proof: INSECURE }
}

function notPlainMqtt(at: Address, what: string): Fault {
  const hint = `use the port of MQTT without TLS, usually ${INSECURE_PORT}; if it has TLS, leave out ${FLAG}`
  return new Fault("protocol", `this port speaks ${what}, not MQTT without TLS: ${formatAddress(at)}`, hint)
}

/** A server of TLS that hangs up looks the same as one that is not there. */
function warnSilent({ out }: Context, addresses: Addresses): void {
  const where = formatAddresses(addresses)
  out.warn(safe`nothing answers MQTT without TLS at ${display(where)}; the address is kept, and tried again`)
  out.next(safe`if it is wrong: mqttchat config set broker HOST:PORT ${display(FLAG)}`)
}

export function warnInsecure({ out }: Context): void {
  out.warn(
    safe`without TLS: who talks when, and the broker's password, are open to the network; messages are not`,
  )
}
