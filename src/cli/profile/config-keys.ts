import { Fault } from "../../errors.ts"
import type { Settings } from "../../settings.ts"
import { formatAddresses } from "../../wire/address.ts"
import { normalizedName } from "../terminal/names.ts"
import { limitOf, typedLimit } from "./unverified-limits.ts"
import { shellCommand } from "../../shell-command.ts"

/** A key of `mqttchat config`. Values are text, as a user types them. */
export type ConfigKey = {
  /** For the help and the manual. */
  readonly about: string
  /** How a value is typed, for the help and for errors. */
  readonly form: string
  /** Undefined while nothing is set. */
  readonly read: (settings: Settings) => string | undefined
  /** The settings with this value. Fault `usage` for a value that does not fit. Without it the key is only shown. */
  readonly write?: (settings: Settings, typed: string) => Settings
}

/** All keys of `mqttchat config`, in the order of `config list`. */
export const CONFIG_KEYS = {
  name: {
    about: "your name, as new contacts see it",
    form: "NAME",
    read: ({ name }) => name,
    write: (settings, typed) => ({ ...settings, name: normalizedName(typed) }),
  },
  broker: {
    about: "where your broker is: changed once its key is proved there (--pin for another key)",
    form: "HOST[:PORT][,...]",
    read: brokerText,
  },
  "broker.pin": {
    about: "the key that identifies your broker; `config set broker HOST --pin PIN` changes it",
    form: "PIN",
    read: ({ broker }) => (broker?.trust.kind === "pin" ? broker.trust.pin : undefined),
  },
  "daemon.on-demand": {
    about: "whether other commands start a daemon",
    form: "on|off",
    read: ({ onDemand }) => (onDemand === true ? "on" : "off"),
    write: (settings, typed) => ({ ...settings, onDemand: switchOf("daemon.on-demand", typed) }),
  },
  "unverified.per-hour": {
    about: "messages that a contact whom you have not verified may send in an hour",
    form: "NUMBER",
    read: (settings) => String(limitOf(settings, "unverifiedPerHour")),
    write: (settings, typed) => ({
      ...settings,
      unverifiedPerHour: typedLimit("unverified.per-hour", "unverifiedPerHour", typed),
    }),
  },
  "unverified.mebibytes": {
    about: "room on the disk for what such a contact sends",
    form: "NUMBER",
    read: (settings) => String(limitOf(settings, "unverifiedMebibytes")),
    write: (settings, typed) => ({
      ...settings,
      unverifiedMebibytes: typedLimit("unverified.mebibytes", "unverifiedMebibytes", typed),
    }),
  },
} as const satisfies Readonly<Record<string, ConfigKey>>

export type ConfigName = keyof typeof CONFIG_KEYS

export const CONFIG_NAMES = Object.keys(CONFIG_KEYS) as ConfigName[]

/** The key of this name. */
export function configKey(name: ConfigName): ConfigKey {
  return CONFIG_KEYS[name]
}

function brokerText({ here, broker }: Settings): string | undefined {
  if (here) return "here"
  if (broker === undefined) return undefined
  const { host, port, others = [] } = broker
  return formatAddresses([{ host, port }, ...others])
}

function switchOf(name: string, typed: string): boolean {
  if (typed === "on") return true
  if (typed === "off") return false
  throw new Fault("usage", `${name} is on or off, not ${typed}`, shellCommand`mqttchat config set ${name} on`)
}
