import { equal, type PublicKey } from "../../crypto/bytes.ts"
import { KEY_BYTES } from "../../crypto/sizes.ts"
import { decode, type Reader, Writer } from "../../wire/codec.ts"
import { LINK_BYTES, type LedgerPoint, type LedgerView } from "../../wire/ledger-view.ts"

/** What this device knows of its registrar's ledger: the newest entry that it was told of. Times are unix ms. */
export type LedgerRecord = LedgerPoint & {
  readonly registrar: PublicKey
  /** When the ledger last had that entry. */
  readonly confirmedAt: number
  /** Kept until the user accepts it: the right ledger may answer again in between. */
  readonly trouble: LedgerTrouble | undefined
}

/** The ledger that answered lacked the entry, being shorter, or had another one in its place. */
export type LedgerTrouble = {
  readonly kind: "rolled-back" | "forked"
  /** Whether the ledger that answered last was this one. Times do not say it: a clock may be put back. */
  readonly isCurrent: boolean
  readonly since: number
  readonly last: number
  /** How many entries it had. */
  readonly number: number
}

export type LedgerAnswer = {
  readonly registrar: PublicKey
  /** The number that the request named. */
  readonly known: number
  readonly view: LedgerView
  readonly now: number
}

const KINDS = ["rolled-back", "forked"] as const

/** What is known of this registrar's ledger; another registrar has a ledger of its own. */
export function recordFor(record: LedgerRecord | undefined, registrar: PublicKey): LedgerRecord | undefined {
  return record !== undefined && equal(record.registrar, registrar) ? record : undefined
}

/**
 * The record after an answer. A number that is not the record's was named before another answer came, and says
 * nothing of the present record.
 */
export function afterAnswer(before: LedgerRecord | undefined, answer: LedgerAnswer): LedgerRecord {
  const { registrar, known, view, now } = answer
  const { number, link } = view
  const record = recordFor(before, registrar)
  if (record === undefined) return { registrar, number, link, confirmedAt: now, trouble: undefined }
  if (record.number !== known) return record
  const kind = troubleOf(record, view)
  const { trouble } = record
  if (kind === undefined) {
    const past = trouble && { ...trouble, isCurrent: false }
    return { ...record, number, link, confirmedAt: now, trouble: past }
  }
  return { ...record, trouble: { kind, isCurrent: true, since: trouble?.since ?? now, last: now, number } }
}

/** Whether the ledger that answered last is not the known one. */
export function isInTrouble({ trouble }: LedgerRecord): boolean {
  return trouble?.isCurrent === true
}

function troubleOf(record: LedgerRecord, view: LedgerView): LedgerTrouble["kind"] | undefined {
  if (view.number < record.number) return "rolled-back"
  const link = view.number === record.number ? view.link : view.linkAtKnown
  return equal(link, record.link) ? undefined : "forked"
}

/** What follows a record. */
const TROUBLE = { none: 0, current: 1, past: 2 } as const

/** registrar 32 | number u64 | link 32 | heard at u64 | TROUBLE u8 | if not 0: kind u8 | since u64 | last u64 | number u64. */
export function encodeRecord({ registrar, number, link, confirmedAt, trouble }: LedgerRecord): Uint8Array {
  const writer = new Writer().bytes(registrar).u64(number).bytes(link).u64(confirmedAt)
  if (trouble === undefined) return writer.u8(TROUBLE.none).done()
  writer.u8(trouble.isCurrent ? TROUBLE.current : TROUBLE.past).u8(KINDS.indexOf(trouble.kind))
  return writer.u64(trouble.since).u64(trouble.last).u64(trouble.number).done()
}

/** Undefined for nothing yet. */
export function decodeRecord(bytes: Uint8Array): LedgerRecord | undefined {
  return decode(bytes, (reader) => ({
    registrar: reader.bytes(KEY_BYTES) as PublicKey,
    number: reader.u64(),
    link: reader.bytes(LINK_BYTES),
    confirmedAt: reader.u64(),
    trouble: readTrouble(reader),
  }))
}

function readTrouble(reader: Reader): LedgerTrouble | undefined {
  const state = reader.u8()
  if (state === TROUBLE.none) return undefined
  const kind = KINDS[reader.u8()]
  if (kind === undefined || state > TROUBLE.past) reader.refuse()
  const isCurrent = state === TROUBLE.current
  return { kind: kind ?? "forked", isCurrent, since: reader.u64(), last: reader.u64(), number: reader.u64() }
}
