import type { ContactId, HeldRecord } from "../../store/records.ts"
import { decode, type Reader, Writer } from "../../wire/codec.ts"
import { LIST_MAX } from "../../wire/frame.ts"
import type { Change } from "./decision.ts"

/** The texts of a conversation in the present session [W-28]: how many we have written, how many of theirs are shown. */
export type TextNumbers = {
  readonly sent: number
  readonly received: number
  /** What came while they were blocked was dropped: the next text is the first that counts. */
  readonly resync: boolean
}

const NUMBER_MAX = 0xffff_ffff

export const NO_TEXTS: TextNumbers = { sent: 0, received: 0, resync: false }

/** What waits, by number. */
export type HeldTexts = ReadonlyMap<number, HeldRecord>

export function textNumbersKey(contact: ContactId): string {
  return `order/${contact}`
}

/** `sent u32 | heard u32 | anew u8`; an empty value is a session's beginning. */
export function readTextNumbers(settings: ReadonlyMap<string, Uint8Array>, contact: ContactId): TextNumbers {
  const stored = settings.get(textNumbersKey(contact))
  return (stored && decode(stored, readFields)) ?? NO_TEXTS
}

function readFields(reader: Reader): TextNumbers {
  return { sent: reader.u32(), received: reader.u32(), resync: reader.u8() === 1 }
}

/** A peer may number a text as high as the wire goes: behind it there is no further number. */
export function textNumbersChange(contact: ContactId, { sent, received, resync }: TextNumbers): Change {
  const value = new Writer().u32(sent).u32(Math.min(received, NUMBER_MAX)).u8(Number(resync)).done()
  return { kind: "setting", key: textNumbersKey(contact), value }
}

/** The numbers that keep others waiting, as many as one frame names. */
export function missingNumbers({ received }: TextNumbers, held: HeldTexts): number[] {
  const last = Math.max(...held.keys())
  const missing: number[] = []
  for (let number = received; number < last && missing.length < LIST_MAX; number++) {
    if (!held.has(number)) missing.push(number)
  }
  return missing
}
