import { UNVERIFIED_LIMITS, type UnverifiedLimits } from "../../engine/state/limits.ts"
import { Fault } from "../../errors.ts"
import { UNVERIFIED_MAX, type Settings } from "../../settings.ts"
import { shellCommand } from "../../shell-command.ts"

const MEBIBYTE = 1024 * 1024
const NUMBER = /^[1-9][0-9]{0,8}$/

type LimitSetting = keyof typeof UNVERIFIED_MAX

/** What the settings say of contacts who were never verified, as the engine takes it. */
export function unverifiedLimitsOf(settings: Settings): UnverifiedLimits {
  return {
    perHour: limitOf(settings, "unverifiedPerHour"),
    bytes: limitOf(settings, "unverifiedMebibytes") * MEBIBYTE,
  }
}

/** The setting, or what the engine does without it. */
export function limitOf(settings: Settings, setting: LimitSetting): number {
  const { perHour, bytes } = UNVERIFIED_LIMITS
  const without = { unverifiedPerHour: perHour, unverifiedMebibytes: bytes / MEBIBYTE }
  return settings[setting] ?? without[setting]
}

/** Fault `usage`. */
export function typedLimit(key: string, setting: LimitSetting, typed: string): number {
  const max = UNVERIFIED_MAX[setting]
  if (NUMBER.test(typed) && Number(typed) <= max) return Number(typed)
  throw new Fault("usage", `${key} is a number from 1 to ${max}`, shellCommand`mqttchat config get ${key}`)
}
