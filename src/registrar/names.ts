import { Fault } from "../errors.ts"
import { isConfusable, unfitReason, withoutReservedShape } from "../wire/reserved-names.ts"
import type { TakenNames } from "../wire/taken-names.ts"
import { displayName } from "../wire/text.ts"

const NAMELESS = "nobody"
export const OPERATOR = "operator"

/** A stranger's name, cleaned, and with a number behind it where it could be taken for another user or command. */
export function uniqueName(taken: Pick<TakenNames, "free" | "numbered">, wanted: string): string {
  const cleaned = displayName(wanted).trim()
  const shaped = withoutReservedShape(cleaned)
  if (shaped === undefined) return taken.free(NAMELESS)
  // `USER/DEVICE` is one device of a user.
  const isReserved = cleaned.includes("/") || isConfusable(cleaned, OPERATOR)
  return isReserved ? taken.numbered(shaped.replaceAll("/", "-")) : taken.free(cleaned)
}

/** Faults `usage` for a name of the operator's choice that would be taken for something else. */
export function requireFitName(name: string): void {
  const reason = name.includes("/") ? "the name of a user has no slash" : unfitReason(name)
  if (reason !== undefined) throw new Fault("usage", reason, "choose another")
}

/** Of a user or a device; the name of a user who was revoked is free again. */
export function isActive({ revokedAt }: { readonly revokedAt: number | undefined }): boolean {
  return revokedAt === undefined
}
