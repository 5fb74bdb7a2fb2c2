import { isIP } from "node:net"
import { networkInterfaces } from "node:os"
import { Fault } from "../errors.ts"
import { display, safe } from "../wire/text.ts"
import type { Context } from "./context.ts"
import { askChoice } from "./prompts.ts"

export const LOOPBACK = "127.0.0.1"
const LINK_LOCAL = /^fe80:/i
/** Listening there is listening on every address. */
export const ANY = ["0.0.0.0", "::"]

export type ListenWish = { readonly lan?: boolean; readonly loopback?: boolean; readonly listen?: string }

/** Where to listen, and the address that others type. */
export type Place = { readonly listen: string; readonly host: string }

/** From the flags, else as the last time, else asked; loopback where nobody can be asked. */
export async function choosePlace(
  context: Context,
  wish: ListenWish,
  last: Place | undefined,
): Promise<Place> {
  if (wish.listen !== undefined) return given(wish.listen)
  if (wish.loopback === true) return at(LOOPBACK)
  if (wish.lan === true) return onNetwork(context)
  if (last !== undefined) return last
  if (!context.mayAsk) {
    context.out.next(safe`for this laptop only; for everybody on this network: mqttchat broker --lan`)
    return at(LOOPBACK)
  }
  const network = await askChoice(context, {
    message: safe`Who should reach this broker?`,
    first: { name: safe`Everybody on this network`, value: true },
    others: [{ name: safe`Only this laptop`, value: false }],
    flag: "--lan or --loopback",
  })
  return network ? onNetwork(context) : at(LOOPBACK)
}

/** The address of this laptop that others can reach, IPv4 first; asked or told where there are several. */
async function onNetwork(context: Context): Promise<Place> {
  const [first, ...others] = addresses()
  if (first === undefined) {
    throw new Fault("unavailable", "this laptop is on no network", "mqttchat broker --loopback")
  }
  if (others.length === 0) return at(first.address)
  if (!context.mayAsk) {
    const listed = display(others.map(({ address }) => address).join(", "))
    context.out.say(
      safe`listening on ${display(first.address)}; others of this laptop are ${listed}: --listen ADDRESS`,
    )
    return at(first.address)
  }
  const choice = (found: Found) => ({
    name: safe`${display(found.address)}  (${display(found.name)})`,
    value: found.address,
  })
  const message = safe`Which address of this laptop?`
  return at(
    await askChoice(context, { message, first: choice(first), others: others.map(choice), flag: "--listen" }),
  )
}

function given(listen: string): Place {
  if (isIP(listen) === 0) {
    throw new Fault("usage", `${listen} is no IP address of this laptop`, "mqttchat broker --lan")
  }
  return ANY.includes(listen) ? { listen, host: addresses()[0]?.address ?? LOOPBACK } : at(listen)
}

function at(address: string): Place {
  return { listen: address, host: address }
}

type Found = { readonly name: string; readonly address: string; readonly family: string }

function addresses(): Found[] {
  const all = Object.entries(networkInterfaces()).flatMap(([name, found = []]) =>
    found.map(({ address, family, internal }) => ({ name, address, family, internal })),
  )
  const reachable = all.filter(({ address, internal }) => !internal && !LINK_LOCAL.test(address))
  return reachable.toSorted((a, b) => a.family.localeCompare(b.family))
}
