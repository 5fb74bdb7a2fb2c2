import type { ContactId, HeldRecord } from "../../store/records.ts"
import { decode, type Reader, Writer } from "../../wire/codec.ts"
import { LIST_MAX } from "../../wire/frame.ts"
import type { Change } from "../decision.ts"

/** The texts of a conversation in the present session [W-28]: how many we have written, how many of theirs are shown. */
export type Order = {
  readonly sent: number
  readonly heard: number
  /** What came while they were blocked was dropped: the next text is the first that counts. */
  readonly anew: boolean
}

const NUMBER_MAX = 0xffff_ffff

export const START: Order = { sent: 0, heard: 0, anew: false }

/** What waits, by number. */
export type Held = ReadonlyMap<number, HeldRecord>

export function orderKey(contact: ContactId): string {
  return `order/${contact}`
}

/** `sent u32 | heard u32 | anew u8`; an empty value is a session's beginning. */
export function readOrder(settings: ReadonlyMap<string, Uint8Array>, contact: ContactId): Order {
  const stored = settings.get(orderKey(contact))
  return (stored && decode(stored, readFields)) ?? START
}

function readFields(reader: Reader): Order {
  return { sent: reader.u32(), heard: reader.u32(), anew: reader.u8() === 1 }
}

/** A peer may number a text as high as the wire goes: behind it there is no further number. */
export function orderChange(contact: ContactId, { sent, heard, anew }: Order): Change {
  const value = new Writer().u32(sent).u32(Math.min(heard, NUMBER_MAX)).u8(Number(anew)).done()
  return { kind: "setting", key: orderKey(contact), value }
}

/** The numbers that keep others waiting, as many as one frame names. */
export function missingNumbers({ heard }: Order, held: Held): number[] {
  const last = Math.max(...held.keys())
  const missing: number[] = []
  for (let number = heard; number < last && missing.length < LIST_MAX; number++) {
    if (!held.has(number)) missing.push(number)
  }
  return missing
}
