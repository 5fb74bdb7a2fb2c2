import type { PublicKey } from "../crypto/bytes.ts"
import type { Reader, Writer } from "./codec.ts"

/** SHA-256. */
export const LINK_BYTES = 32

/** One entry of a registrar's ledger: its number, counted from 1, and its link. The ledger begins at 0 with a link of zeros. */
export type LedgerPoint = { readonly number: number; readonly link: Uint8Array }

/** What an answer says of the ledger. */
export type LedgerView = LedgerPoint & {
  /** The link at the number that the request named; zeros if the ledger does not reach so far. */
  readonly linkAtKnown: Uint8Array
}

/** What a device knows of the ledger: it goes into each request, and each answer comes back to it. */
export type LedgerWatch = {
  /** The number of the newest entry that it knows of this registrar's ledger; 0 for none. */
  readonly known: (registrar: PublicKey) => number
  /** `known` is the number that the request named. */
  readonly onView: (registrar: PublicKey, known: number, view: LedgerView) => Promise<void>
}

/** 0, or 1 | number u64 | link 32 | link at the known number 32. */
export function writeLedgerView(writer: Writer, view: LedgerView | undefined): void {
  writer.u8(view === undefined ? 0 : 1)
  if (view !== undefined) writer.u64(view.number).bytes(view.link).bytes(view.linkAtKnown)
}

export function readLedgerView(reader: Reader): LedgerView | undefined {
  if (!reader.flag()) return undefined
  return { number: reader.u64(), link: reader.bytes(LINK_BYTES), linkAtKnown: reader.bytes(LINK_BYTES) }
}
