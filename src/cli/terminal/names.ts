import { Fault } from "../../errors.ts"
import { unfitReason } from "../../wire/reserved-names.ts"
import { displayName } from "../../wire/text.ts"

/** The limit of HELLO and of the settings. */
const NAME_BYTES_MAX = 64

/** A typed name in normal form. Fault `usage` for one that a screen would not show as it is, or that is reserved. */
export function normalizedName(typed: string): string {
  const name = displayName(typed.trim())
  if (name === "" || name !== typed.trim().normalize("NFC") || Buffer.byteLength(name) > NAME_BYTES_MAX) {
    throw unfit("a name is one line of 1 to 32 letters without control characters")
  }
  const reason = unfitReason(name)
  if (reason !== undefined) throw unfit(reason)
  return name
}

/** The first of these that is a name as it could be typed. */
export function firstFitName(candidates: readonly (string | undefined)[]): string | undefined {
  return candidates.map(fitName).find((name) => name !== undefined)
}

function fitName(typed = ""): string | undefined {
  try {
    return normalizedName(typed)
  } catch (cause) {
    if (cause instanceof Fault) return undefined
    throw cause
  }
}

function unfit(reason: string): Fault {
  return new Fault("usage", reason, "choose another")
}
