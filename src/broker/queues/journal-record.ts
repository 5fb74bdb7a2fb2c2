import { decode, type Reader, Writer } from "../../wire/codec.ts"

/** One line of the broker's memory. Replaying all of them in order gives the sessions and their queues. */
export type JournalRecord =
  | { readonly kind: "subscribed"; readonly session: string; readonly filter: string; readonly qos: number }
  | { readonly kind: "unsubscribed"; readonly session: string; readonly filter: string }
  /** The device asked for a clean session, has been away for too long, or may not come back. */
  | { readonly kind: "forgotten"; readonly session: string }
  | ({ readonly kind: "queued"; readonly session: string } & QueuedFrame)
  /** The frame of a group that was queued for another session under this number waits for this one, too. */
  | { readonly kind: "also-queued"; readonly session: string; readonly sequence: number }
  /** It was connected at that time (unix ms). */
  | { readonly kind: "seen"; readonly session: string; readonly at: number }
  /** Acknowledged, or too old. */
  | { readonly kind: "settled"; readonly session: string; readonly sequence: number }

export type QueuedFrame = {
  /** Unique and rising among all frames that are queued. */
  readonly sequence: number
  /** Unix milliseconds of its arrival. */
  readonly at: number
  readonly topic: string
  readonly payload: Uint8Array
}

const KIND = {
  subscribed: 1,
  unsubscribed: 2,
  forgotten: 3,
  queued: 4,
  settled: 5,
  seen: 6,
  "also-queued": 7,
} as const

const KINDS: readonly (number | undefined)[] = Object.values(KIND)

/** Whether a record can begin with this byte. */
export function isRecordKind(byte: number | undefined): boolean {
  return KINDS.includes(byte)
}

/** A session is a device id or the registrar's; a filter of ours is under 60 bytes. */
const NAME_MAX_BYTES = 256

export function encodeRecord(record: JournalRecord): Uint8Array {
  const writer = new Writer().u8(KIND[record.kind]).text(record.session)
  switch (record.kind) {
    case "subscribed":
      return writer.text(record.filter).u8(record.qos).done()
    case "unsubscribed":
      return writer.text(record.filter).done()
    case "forgotten":
      return writer.done()
    case "queued":
      return writer.u64(record.sequence).u64(record.at).text(record.topic).bytes(record.payload).done()
    case "settled":
    case "also-queued":
      return writer.u64(record.sequence).done()
    case "seen":
      return writer.u64(record.at).done()
  }
}

/** Undefined for what `encodeRecord` did not write. */
export function decodeRecord(bytes: Uint8Array): JournalRecord | undefined {
  return decode(bytes, readRecord)
}

function readRecord(reader: Reader): JournalRecord | undefined {
  const kind = reader.u8()
  const session = reader.text(NAME_MAX_BYTES)
  switch (kind) {
    case KIND.subscribed:
      return { kind: "subscribed", session, filter: reader.text(NAME_MAX_BYTES), qos: reader.u8() }
    case KIND.unsubscribed:
      return { kind: "unsubscribed", session, filter: reader.text(NAME_MAX_BYTES) }
    case KIND.forgotten:
      return { kind: "forgotten", session }
    case KIND.queued:
      return {
        kind: "queued",
        session,
        sequence: reader.u64(),
        at: reader.u64(),
        topic: reader.text(NAME_MAX_BYTES),
        payload: reader.rest(),
      }
    case KIND.settled:
      return { kind: "settled", session, sequence: reader.u64() }
    case KIND["also-queued"]:
      return { kind: "also-queued", session, sequence: reader.u64() }
    case KIND.seen:
      return { kind: "seen", session, at: reader.u64() }
    default:
      return undefined
  }
}
