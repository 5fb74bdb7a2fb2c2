import { Fault } from "../../errors.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { changeSettings, settingsFor } from "./change-settings.ts"
import { CONFIG_NAMES, configKey, type ConfigName } from "./config-keys.ts"
import type { SetBrokerOptions } from "./set-broker.ts"
import { shellCommand } from "../../shell-command.ts"

/** Prints the value of a key. Fault `not-found` while nothing is set. */
export async function getConfig(context: Context, name: ConfigName): Promise<void> {
  const { out } = context
  const value = configKey(name).read(await settingsFor(context))
  if (out.json) out.record("mqttchat/config/1", { key: name, value: value ?? null })
  else if (value !== undefined) out.data(display(value))
  else throw new Fault("not-found", `${name} is not set`, shellCommand`mqttchat config set ${name} VALUE`)
}

/** Prints all keys with their values. */
export async function listConfig(context: Context): Promise<void> {
  const { out } = context
  const settings = await settingsFor(context)
  const width = Math.max(...CONFIG_NAMES.map((name) => name.length))
  for (const name of CONFIG_NAMES) {
    const value = configKey(name).read(settings)
    if (out.json) out.record("mqttchat/config/1", { key: name, value: value ?? null })
    else out.data(safe`${display(name.padEnd(width))}  ${display(value ?? "(not set)")}`)
  }
}

/** Changes a key, also in a process that has the profile open. Fault `usage` for a value that does not fit. */
export async function setConfig(
  context: Context,
  change: { readonly name: ConfigName; readonly value: string },
  options: SetBrokerOptions,
): Promise<void> {
  const { name, value } = change
  if (name === "broker") return (await import("./set-broker.ts")).setBroker(context, value, options)
  refuseBrokerOptions(options)
  const { read, write } = configKey(name)
  if (write === undefined)
    throw new Fault("usage", `${name} cannot be set by itself`, "mqttchat config set broker HOST --pin PIN")
  // What does not fit is refused before anything else is asked.
  write(await settingsFor(context), value)
  const changed = await changeSettings(context, (settings) => write(settings, value))
  context.out.done(safe`${display(name)} is ${display(read(changed) ?? "not set")}`)
}

function refuseBrokerOptions(options: SetBrokerOptions): void {
  const [given] = Object.keys(options)
  if (given === undefined) return
  const message = "--pin, --username, --password-file and --insecure-transport belong to the key broker"
  throw new Fault("usage", message, "mqttchat config set broker HOST --pin PIN")
}
