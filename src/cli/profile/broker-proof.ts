import { equal, fromHex, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { Probe } from "../../transport/probe.ts"
import type { BrokerProof } from "../../wire/access.ts"
import {
  type Address,
  type Addresses,
  formatAddress,
  formatAddresses,
  parseAddresses,
} from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { groupDigits } from "../terminal/format.ts"
import { askYes } from "../terminal/prompts.ts"
import { shellCommand } from "../../shell-command.ts"

const PIN_SEPARATORS = /[\s:.-]/g
const PIN = /^[0-9a-f]{32}$/

/** A broker as the user names it. */
export type NamedBroker = {
  readonly addresses: Addresses
  /** Typed by the user, or of an invitation. */
  readonly pin: Uint8Array | undefined
  /** What to type with the right pin, up to the pin. */
  readonly withPin: string
  /** How it has proved itself so far. */
  readonly known?: BrokerProof | undefined
}

/** How a broker is to prove itself, and why nothing could be tried, if so. */
export type FoundBroker = { readonly proof: BrokerProof; readonly silent?: Fault }

/** `HOST[:PORT][,...]`. Fault `usage`. */
export function typedAddresses(typed: string, command: string): Addresses {
  const addresses = parseAddresses(typed)
  if (addresses !== undefined) return addresses
  throw new Fault("usage", `${typed} is not the address of a broker`, `${command} HOST[:PORT]`)
}

/** Fault `usage` for what is no pin. */
export function typedPin(pin: string | undefined): Uint8Array | undefined {
  if (pin === undefined) return undefined
  const hex = pin.replaceAll(PIN_SEPARATORS, "").toLowerCase()
  if (PIN.test(hex)) return fromHex(hex)
  throw new Fault("usage", "a pin is 32 hexadecimal digits", "ask the person who runs the broker for it")
}

/**
 * Tries each address and finds out how the broker proves itself. A pin that the user has not given is shown and asked about;
 * without a terminal the pin has to be typed: fault `usage`. Faults `protocol` for what is no broker, or another one. A
 * broker that does not answer is no fault: it proves itself when it does.
 */
export async function findBroker(context: Context, named: NamedBroker): Promise<FoundBroker> {
  const { addresses, known } = named
  const pin = named.pin ?? (known?.kind === "pin" ? known.pin : undefined)
  const { probeBroker } = await import("../../transport/probe.ts")
  context.out.info(safe`trying ${display(formatAddresses(addresses))}`)
  const found = await Promise.all(addresses.map(async (at) => ({ at, probe: await probeBroker(at, pin) })))
  let proof: BrokerProof | undefined
  for (const each of found) proof = alike(each.at, proof, await proofOf(context, named, each))
  if (proof !== undefined) return { proof }
  const silent = found.map(({ probe }) => probe).find((probe) => probe.kind === "silent")
  const expected = pin === undefined ? ({ kind: "name" } as const) : ({ kind: "pin", pin } as const)
  return { proof: expected, ...(silent === undefined ? {} : { silent: silent.why }) }
}

type Found = { readonly at: Address; readonly probe: Probe }

/** Undefined for an address where nothing answers. */
async function proofOf(
  context: Context,
  named: NamedBroker,
  { at, probe }: Found,
): Promise<BrokerProof | undefined> {
  switch (probe.kind) {
    case "proven":
      return probe.trust
    case "silent":
      return undefined
    case "unusable":
      throw probe.why
    case "unknown-authority":
      return confirmed(context, named, { at, pin: probe.pin })
    case "another-pin":
      if (named.pin !== undefined || probe.pin === undefined) throw notThisPin(named, { at, pin: probe.pin })
      return confirmed(context, named, { at, pin: probe.pin })
  }
}

/** All addresses are those of one broker. */
function alike(
  at: Address,
  known: BrokerProof | undefined,
  proof: BrokerProof | undefined,
): BrokerProof | undefined {
  if (known === undefined || proof === undefined) return known ?? proof
  const isAlike =
    known.kind === "pin" && proof.kind === "pin" ? equal(known.pin, proof.pin) : known.kind === proof.kind
  if (isAlike) return known
  const message = `${formatAddress(at)} is another broker than the address before it`
  throw new Fault("protocol", message, "give the addresses of one broker, with commas between them")
}

/** Its address is kept. */
export function warnIfSilent({ out }: Context, addresses: Addresses, { silent, proof }: FoundBroker): void {
  if (silent === undefined) return
  const where = formatAddresses(addresses)
  out.warn(safe`not tried: ${display(silent.message)}; the address is kept, and tried again when you connect`)
  const change = shellCommand`mqttchat config set broker ${where}`
  out.next(safe`if it is wrong: ${change}${proof.kind === "pin" ? safe`` : safe` --pin PIN`}`)
}

type Seen = { readonly at: Address; readonly pin: Uint8Array | undefined }

/** Shows the pin that was seen, and the one that was known, and asks. */
async function confirmed(context: Context, named: NamedBroker, seen: Required<Seen>): Promise<BrokerProof> {
  const { out, isInteractive } = context
  const pin = seen.pin ?? new Uint8Array()
  const where = formatAddress(seen.at)
  const why =
    named.known?.kind === "pin"
      ? `${where} shows another key than your broker's: its pin is ${toHex(pin)}, and yours ${toHex(named.known.pin)}`
      : `this laptop does not know the authority of ${where}; the pin of its key is ${toHex(pin)}`
  if (!isInteractive) {
    const hint = `if the person who runs the broker gives you the same pin: ${named.withPin} ${toHex(pin)}`
    throw new Fault("usage", why, hint)
  }
  out.warn(display(why))
  out.info(safe`compare it with the person who runs the broker:  ${groupDigits(toHex(pin).toUpperCase())}`)
  const message = safe`Is it the pin that they gave you?`
  if (await askYes(context, { message, suggested: false, flag: "--pin PIN" })) return { kind: "pin", pin }
  throw new Fault("refused", "the pin was not confirmed; nothing was changed", `${named.withPin} PIN`)
}

function notThisPin({ pin, withPin }: NamedBroker, seen: Seen): Fault {
  const shown = seen.pin === undefined ? "no certificate that has it" : `the pin ${toHex(seen.pin)}`
  const message = `${formatAddress(seen.at)} does not have the pin ${toHex(pin ?? new Uint8Array())}: it shows ${shown}`
  return new Fault(
    "protocol",
    message,
    `ask the person who runs the broker for the pin, then: ${withPin} PIN`,
  )
}
