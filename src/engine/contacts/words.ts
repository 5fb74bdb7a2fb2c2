import { Fault } from "../../errors.ts"
import { fourWords } from "../../pairing/words.ts"
import { decodeComparison, encodeComparison, wordsOf, type Comparison } from "../../session/comparison.ts"
import type { DeviceRecord } from "../../store/records.ts"

type Compared = Pick<DeviceRecord, "comparison">

/** How far the words of the device's session are; undefined without a session, as after a backup was read. */
export function comparisonOf({ comparison }: Compared): Comparison | undefined {
  if (comparison.length === 0) return undefined
  const stored = decodeComparison(comparison)
  if (stored === undefined) throw new Fault("damaged-database", "a stored comparison cannot be read")
  return stored
}

/** The four words to compare, or none while a share is missing [S-64]. */
export function wordsWith(device: Compared): string[] {
  const comparison = comparisonOf(device)
  const bytes = comparison && wordsOf(comparison)
  return bytes === undefined ? [] : fourWords(bytes)
}

/** A device of a contact that was there before its handshake: the contact stays if its OPEN is wrong. */
export function asMet(device: DeviceRecord): DeviceRecord {
  const comparison = comparisonOf(device)
  if (comparison?.kind !== "answered") return device
  return { ...device, comparison: encodeComparison({ ...comparison, metBefore: true }) }
}

export function hasNoWords(device: Compared): boolean {
  return comparisonOf(device)?.kind !== "complete"
}
