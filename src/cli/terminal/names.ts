import { Fault } from "../../errors.ts"
import { displayName } from "../../wire/text.ts"

/** HELLO and the settings have room for so much. */
const NAME_BYTES_MAX = 64

/** A name as somebody typed it, in one normal form. Fault `usage` for one that would not look on a screen as it is. */
export function normalizedName(typed: string): string {
  const name = typed.trim().normalize("NFC")
  if (name !== "" && displayName(name) === name && Buffer.byteLength(name) <= NAME_BYTES_MAX) return name
  throw new Fault(
    "usage",
    "a name is one line of 1 to 32 letters without control characters",
    "choose another",
  )
}
