import { equal, toHex } from "../../crypto/bytes.ts"
import { addressesOf } from "../../engine/connection/broker-addresses.ts"
import { isStillBroker } from "../../engine/connection/moved-broker.ts"
import type { BrokerConfig } from "../../engine/state/ports.ts"
import { Fault } from "../../errors.ts"
import { shellWord } from "../../shell-command.ts"
import { formatAddresses } from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { askYes } from "../terminal/prompts.ts"

/** A pin that was typed and differs from the known one is shown with it; the user is asked where they can be. */
export async function confirmPin(
  context: Context,
  known: BrokerConfig | undefined,
  typed: { readonly pin: Uint8Array | undefined; readonly where: string },
): Promise<void> {
  const { pin, where } = typed
  if (pin === undefined || known === undefined) return
  const { trust } = known
  if (trust.kind === "pin" && equal(trust.pin, pin)) return
  const before =
    trust.kind === "pin"
      ? safe`your broker's pin is ${display(toHex(trust.pin))}`
      : safe`your broker has no pin`
  context.out.warn(safe`${before}, and that of ${display(where)} is to be ${display(toHex(pin))}`)
  if (context.isInteractive) await confirmChange(context)
}

type NamedChoice = {
  readonly broker: BrokerConfig
  /** The user has named the account for it. */
  readonly isSaid: boolean
  readonly command: string
}

/**
 * A publicly trusted certificate proves a name only, and anyone can get one for theirs. So another name is another
 * broker, if none of the known ones stays. Without a terminal: fault `usage`, unless the user has said it.
 */
export async function confirmName(
  context: Context,
  known: BrokerConfig | undefined,
  { broker, isSaid, command }: NamedChoice,
): Promise<void> {
  if (known === undefined || broker.trust.kind !== "name" || isStillBroker(known, broker)) return
  const [before, after] = [known, broker].map((each) => formatAddresses(addressesOf(each)))
  const why = `your broker is ${before ?? ""}, and ${after ?? ""} is another one: its certificate proves no more than that name`
  if (!context.isInteractive && !isSaid) {
    const again = `${command} ${shellWord(after ?? "")}`
    throw new Fault("usage", why, `if you want it: ${again} --username NAME, or: ${again} --pin PIN`)
  }
  context.out.warn(display(why))
  if (context.isInteractive) await confirmChange(context)
}

async function confirmChange(context: Context): Promise<void> {
  const message = safe`Change to another broker? Contacts reach you there only if they change, too.`
  if (await askYes(context, { message, suggested: false, flag: "--no-input" })) return
  throw new Fault("refused", "nothing was changed", "mqttchat config get broker")
}
