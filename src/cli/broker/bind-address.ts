import { isIP } from "node:net"
import { hostname, networkInterfaces } from "node:os"
import { Fault } from "../../errors.ts"
import { type Address, LOOPBACK } from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { askChoice } from "../terminal/prompts.ts"
import { shellCommand } from "../../shell-command.ts"

const LINK_LOCAL = /^fe80:/i
/** Listening there is listening on every address. */
export const ANY_ADDRESS = ["0.0.0.0", "::"]
/** Addresses that no other machine reaches. */
const LOOPBACK_ADDRESS = /^(127\.|::1$)/
/** A name that a certificate can hold; a laptop may be called anything. */
const HOST_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

export type ListenOptions = { readonly lan?: boolean; readonly loopback?: boolean; readonly listen?: string }

/** Where to listen, and the address that others type. */
export type BindAddress = { readonly listen: string; readonly host: string }

/** From the flags, else as last time, else asked; loopback if there is no terminal to ask at. */
export async function chooseBindAddress(
  context: Context,
  options: ListenOptions,
  previous: BindAddress | undefined,
): Promise<BindAddress> {
  if (options.listen !== undefined) return bindAddressOf(options.listen)
  if (options.loopback === true) return sameAddress(LOOPBACK)
  if (options.lan === true) return chooseNetworkAddress(context)
  if (previous !== undefined) return isStillOurs(previous) ? previous : movedAddress(context, previous)
  if (!context.isInteractive) {
    context.out.next(safe`for this laptop only; for everyone on this network: mqttchat broker --lan`)
    return sameAddress(LOOPBACK)
  }
  const network = await askChoice(context, {
    message: safe`Who should reach this broker?`,
    first: { name: safe`Everyone on this network`, value: true },
    others: [{ name: safe`Only this laptop`, value: false }],
    flag: "--lan or --loopback",
  })
  return network ? chooseNetworkAddress(context) : sameAddress(LOOPBACK)
}

function isStillOurs({ listen }: BindAddress): boolean {
  const isAlways = ANY_ADDRESS.includes(listen) || LOOPBACK_ADDRESS.test(listen)
  return isAlways || addresses().some(({ address }) => address === listen)
}

/** The network has given this laptop another address since the last time. */
async function movedAddress(context: Context, previous: BindAddress): Promise<BindAddress> {
  const now = await chooseNetworkAddress(context)
  const [before, after] = [display(previous.host), display(now.host)]
  context.out.warn(safe`the address of this laptop was ${before} and is now ${after}`)
  context.out.next(
    safe`where the others do not find it by its name: ${shellCommand`mqttchat config set broker ${after}`}`,
  )
  return now
}

/** The first label of this laptop's name, as far as a certificate can hold it. */
export function hostLabel(): string | undefined {
  const [label = ""] = hostname().toLowerCase().split(".")
  return HOST_LABEL.test(label) ? label : undefined
}

/** The name under which this laptop announces itself on its network (RFC 6762): it stays when the address changes. */
export function announcedAddress({ listen }: BindAddress, port: number): Address | undefined {
  const label = hostLabel()
  return label === undefined || LOOPBACK_ADDRESS.test(listen) ? undefined : { host: `${label}.local`, port }
}

/** The address of this laptop that others can reach, IPv4 first; asked or told where there are several. */
async function chooseNetworkAddress(context: Context): Promise<BindAddress> {
  const [first, ...others] = addresses()
  if (first === undefined) {
    throw new Fault("unavailable", "this laptop is not on a network", "mqttchat broker --loopback")
  }
  if (others.length === 0) return sameAddress(first.address)
  if (!context.isInteractive) {
    const listed = display(others.map(({ address }) => address).join(", "))
    context.out.info(
      safe`listening on ${display(first.address)}; others of this laptop are ${listed}: --listen ADDRESS`,
    )
    return sameAddress(first.address)
  }
  const choice = (found: NetworkAddress) => ({
    name: safe`${display(found.address)}  (${display(found.name)})`,
    value: found.address,
  })
  const message = safe`Which address of this laptop?`
  return sameAddress(
    await askChoice(context, { message, first: choice(first), others: others.map(choice), flag: "--listen" }),
  )
}

function bindAddressOf(listen: string): BindAddress {
  if (isIP(listen) === 0) {
    throw new Fault("usage", `${listen} is not an IP address of this laptop`, "mqttchat broker --lan")
  }
  return ANY_ADDRESS.includes(listen)
    ? { listen, host: addresses()[0]?.address ?? LOOPBACK }
    : sameAddress(listen)
}

function sameAddress(address: string): BindAddress {
  return { listen: address, host: address }
}

type NetworkAddress = { readonly name: string; readonly address: string; readonly family: string }

function addresses(): NetworkAddress[] {
  const all = Object.entries(networkInterfaces()).flatMap(([name, found = []]) =>
    found.map(({ address, family, internal }) => ({ name, address, family, internal })),
  )
  const reachable = all.filter(({ address, internal }) => !internal && !LINK_LOCAL.test(address))
  return reachable.toSorted((a, b) => a.family.localeCompare(b.family))
}
