import type { DeviceId } from "../../store/ids.ts"
import type { OutgoingRecord } from "../../store/records.ts"

/** A network ends connections, too; the second time that a frame was under way it is sent alone, to be sure. */
const ENDS_TO_SUSPECT = 2
const ENDS_ALONE = 2

/** Each costs all others a connection, so they are tried ever more slowly, as long as none is taken. */
const REST_MS = { first: 2_000, longest: 600_000 } as const

/**
 * Which frame it is that the broker ends the connection for. One that was under way when two connections ended is sent alone,
 * on a connection that holds. If that ends, too, twice, it is this frame; once is enough if the broker named a reason, or if a
 * frame to the same device, or one no larger, was found before.
 */
export class Suspects {
  readonly #ends = new Map<number, number>()
  readonly #endsAlone = new Map<number, number>()
  readonly #devices = new Set<DeviceId>()
  #size = Infinity
  #failures = 0

  /** How long to wait before the next frame is sent alone, after one that ended the connection; in ms. */
  get restAfterEnd(): number {
    return Math.min(REST_MS.first * 2 ** (this.#failures - 1), REST_MS.longest)
  }

  has(entry: OutgoingRecord): boolean {
    return (this.#ends.get(entry.seq) ?? 0) >= ENDS_TO_SUSPECT || this.#isLikeOne(entry)
  }

  /** Whether a connection ended for it, as it seems: others are tried first. */
  wasAlone({ seq, refusal }: OutgoingRecord): boolean {
    return refusal !== undefined || this.#endsAlone.has(seq)
  }

  /** The connection ended while the frame was under way. Whether it is why. */
  ended(
    entry: OutgoingRecord,
    { hasReason, alone }: { readonly hasReason: boolean; readonly alone: boolean },
  ): boolean {
    const { seq, device, wire } = entry
    this.#ends.set(seq, hasReason ? ENDS_TO_SUSPECT : 1 + (this.#ends.get(seq) ?? 0))
    if (!alone) return false
    this.#failures++
    const endsAlone = 1 + (this.#endsAlone.get(seq) ?? 0)
    this.#endsAlone.set(seq, endsAlone)
    if (!hasReason && !this.#isLikeOne(entry) && endsAlone < ENDS_ALONE) return false
    this.#devices.add(device)
    this.#size = Math.min(this.#size, wire.length)
    return true
  }

  /** The broker took it, or it is gone. */
  taken(entry: OutgoingRecord): void {
    const { seq, device, wire } = entry
    if (this.has(entry)) this.#failures = 0
    this.#ends.delete(seq)
    this.#endsAlone.delete(seq)
    this.#devices.delete(device)
    if (wire.length >= this.#size) this.#size = Infinity
  }

  #isLikeOne({ device, wire, refusal }: OutgoingRecord): boolean {
    return refusal !== undefined || this.#devices.has(device) || wire.length >= this.#size
  }
}
