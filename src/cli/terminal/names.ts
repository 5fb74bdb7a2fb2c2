import { Fault } from "../../errors.ts"
import { displayName } from "../../wire/text.ts"

/** The limit of HELLO and of the settings. */
const NAME_BYTES_MAX = 64

/** A typed name in normal form. Fault `usage` for one that a screen would not show as it is. */
export function normalizedName(typed: string): string {
  const name = typed.trim().normalize("NFC")
  if (name !== "" && displayName(name) === name && Buffer.byteLength(name) <= NAME_BYTES_MAX) return name
  throw new Fault(
    "usage",
    "a name is one line of 1 to 32 letters without control characters",
    "choose another",
  )
}
