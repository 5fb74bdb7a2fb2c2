import { equal, toHex } from "../../crypto/bytes.ts"
import { keepsAccount, withAddresses } from "../../engine/connection/moved-broker.ts"
import type { BrokerConfig } from "../../engine/state/ports.ts"
import { Fault } from "../../errors.ts"
import type { Settings } from "../../settings.ts"
import { formatAddress, formatAddresses } from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { type AccountOptions, chosenAccount } from "./broker-account.ts"
import { brokerConfigOf, readBrokerDescriptor } from "./broker-descriptor.ts"
import { findBroker, type FoundBroker, typedAddresses, typedPin, warnIfSilent } from "./broker-proof.ts"
import { brokerOf, settingsOf } from "./broker-settings.ts"
import { changeSettings, settingsFor } from "./change-settings.ts"
import { confirmName, confirmPin } from "./confirm-broker.ts"
import {
  findInsecureBroker,
  insecureAddresses,
  refuseContradictions,
  warnInsecure,
} from "./insecure-transport.ts"
import { readInvitation } from "./invitation.ts"
import { openClient } from "./open-client.ts"
import { shellWord } from "../../shell-command.ts"

export type SetBrokerOptions = AccountOptions & {
  readonly pin?: string
  /** The broker has no TLS, and the user wants it all the same. */
  readonly insecureTransport?: boolean
}

const COMMAND = "mqttchat config set broker"

/**
 * `config set broker`: another address of the profile's broker once its key is proved there, the first broker of a
 * profile that has none, or another broker if its pin is typed or confirmed.
 */
export async function setBroker(context: Context, typed: string, options: SetBrokerOptions): Promise<void> {
  const settings = await settingsFor(context)
  const known = knownBroker(context, settings)
  const pin = typedPin(options.pin)
  refuseContradictions(typed, options, COMMAND)
  if (typed === "here") return setBrokerHere(context, known, pin)
  refuseOtherForms(typed)
  if (isInsecure(known, options)) return setInsecureBroker(context, typed, { known, settings, options })
  const addresses = typedAddresses(typed, COMMAND)
  await confirmPin(context, known, { pin, where: formatAddresses(addresses) })
  const withPin = `${COMMAND} ${shellWord(formatAddresses(addresses))} --pin`
  const found = await findBroker(context, { addresses, pin, withPin, known: known?.trust })
  if (known !== undefined && pin === undefined) refuseSilent(found)
  const broker = withAddresses(known, addresses, found.proof)
  await confirmName(context, known, { broker, isSaid: options.username !== undefined, command: COMMAND })
  await save(context, { known, settings, options }, broker)
  warnIfSilent(context, addresses, found)
  context.out.done(safe`broker is ${display(formatAddresses(addresses))}`)
}

/** A broker without TLS stays one at another address, until a pin says that there is TLS now. */
function isInsecure(known: BrokerConfig | undefined, options: SetBrokerOptions): boolean {
  return options.insecureTransport === true || (known?.trust.kind === "insecure" && options.pin === undefined)
}

/** As the user typed in so many words, now or before. Faults `usage` for a profile with TLS. */
async function setInsecureBroker(context: Context, typed: string, saving: Saving): Promise<void> {
  const { known } = saving
  if (known !== undefined && known.trust.kind !== "insecure") {
    const message = `this profile is at the broker ${formatAddress(known.address)}, which has TLS`
    throw new Fault("usage", message, "use another profile: mqttchat --profile OTHER init")
  }
  const addresses = insecureAddresses(typed, COMMAND)
  warnInsecure(context)
  const found = await findInsecureBroker(context, addresses)
  await save(context, saving, withAddresses(known, addresses, found.proof))
  context.out.done(safe`broker is ${display(formatAddresses(addresses))}, without TLS`)
}

/** What the profile takes for its broker now. */
function knownBroker({ paths }: Context, settings: Settings): BrokerConfig | undefined {
  if (!settings.here) return brokerOf(settings)
  const descriptor = readBrokerDescriptor(paths)
  return descriptor === undefined ? undefined : brokerConfigOf(descriptor)
}

function refuseOtherForms(typed: string): void {
  if (readInvitation(typed) !== undefined)
    throw new Fault("usage", "this is an invitation", "mqttchat register 'INVITATION'")
  if (typed === "later")
    throw new Fault("usage", "later is a choice of init alone", `${COMMAND} HOST[:PORT], or: ${COMMAND} here`)
}

/** Where nothing answers, nothing is proved. */
function refuseSilent({ silent }: FoundBroker): void {
  if (silent === undefined) return
  throw new Fault(
    "unavailable",
    `nothing was changed: ${silent.message}`,
    "start the broker there, then try again; or give its pin with --pin, to set the address before",
  )
}

type Saving = {
  readonly known: BrokerConfig | undefined
  readonly settings: Settings
  readonly options: SetBrokerOptions
}

/** An account is in the key file, so it is saved by the process that has the keys open. */
async function save(
  context: Context,
  { known, settings, options }: Saving,
  broker: BrokerConfig,
): Promise<void> {
  const account = await chosenAccount(context, options)
  const isForgotten = known !== undefined && !keepsAccount(known, broker)
  if (known === undefined || account.username !== undefined || isForgotten) {
    const { client } = await openClient(context, "brief")
    const { username, password } = account
    await client.call("set-broker", {
      addresses: formatAddresses([broker.address, ...(broker.others ?? [])]),
      pin: broker.trust.kind === "pin" ? toHex(broker.trust.pin) : null,
      ...(broker.trust.kind === "insecure" ? { insecureTransport: true } : {}),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    })
  } else await changeSettings(context, (current) => ({ ...current, here: false, broker: settingsOf(broker) }))
  if (settings.here && known !== undefined)
    context.out.info(safe`the broker of this laptop is still there: mqttchat config set broker here`)
}

/** The broker of this laptop says itself where it is. */
async function setBrokerHere(
  context: Context,
  known: BrokerConfig | undefined,
  pin: Uint8Array | undefined,
): Promise<void> {
  const descriptor = readBrokerDescriptor(context.paths)
  if (known !== undefined) {
    const expected = pin ?? (known.trust.kind === "pin" ? known.trust.pin : undefined)
    if (descriptor === undefined || expected === undefined || !equal(expected, descriptor.pin)) {
      const message = "the broker of this laptop is not the one of this profile"
      throw new Fault("usage", message, `${COMMAND} here --pin PIN, with the pin that mqttchat broker prints`)
    }
    await confirmPin(context, known, { pin, where: formatAddress(descriptor.address) })
  }
  await changeSettings(context, (settings) => ({ ...settings, here: true }))
  context.out.done(safe`broker is here`)
}
