/** What SQLite's write-ahead log holds (sqlite.org/fileformat2.html, section 4). */
export type LogScan =
  /** Commits, and nothing of the present log after the last one. */
  | { readonly kind: "whole" }
  /** After the last commit lie remains of one that was never acknowledged. */
  | { readonly kind: "torn"; readonly end: number }
  /** Commits that were acknowledged lie behind bytes that were changed: SQLite would leave them out in silence. */
  | { readonly kind: "damaged"; readonly end: number }

export const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
/** Its words are summed up in little-endian order, as WebAssembly has them. */
const MAGIC = 0x377f0682
/** Our pages have this size, also where no good header says so. */
export const PAGE_BYTES = 2048
/** Bits of the field of a frame that is not 0 if the frame ends a commit. */
const COMMIT_BITS = 32

type Sums = readonly [first: number, second: number]
const NONE: Sums = [0, 0]

/**
 * Tells a damaged log from the torn end that a power cut leaves. Each commit is on the disk before anything of the next
 * one is written [D-130]: behind a bad frame of the last commit there is no second commit, and nothing that continues it.
 */
export function scanLog(bytes: Uint8Array): LogScan {
  const log = new Log(bytes)
  let end = 0
  let bad = 0
  if (log.hasGoodHeader) {
    while (bad < log.frames && log.isOfThisLog(bad) && log.follows(bad)) {
      bad++
      if (log.endsCommit(bad - 1)) end = HEADER_BYTES + bad * log.frameBytes
    }
  }
  if (hasSyncedCommit(log, bad)) return { kind: "damaged", end }
  return hasRemains(log, end) ? { kind: "torn", end } : { kind: "whole" }
}

/** Whether a commit that ends at the frame `bad` or later was on the disk before a later frame was written. */
function hasSyncedCommit(log: Log, bad: number): boolean {
  // The header is on the disk before the first frame is.
  let hasCommit = !log.hasGoodHeader
  let wasCommit = false
  for (let frame = bad; frame < log.frames; frame++) {
    const isCommit = log.isOfThisLog(frame) && log.endsCommit(frame)
    const continues = log.isOfThisLog(frame) && log.follows(frame)
    if (hasCommit && isCommit) return true
    if (wasCommit && continues) return true
    wasCommit = isCommit || (frame === bad && endedCommit(log, frame))
    hasCommit ||= wasCommit
  }
  return false
}

/** Whether a frame that is bad now ended a commit: with other salts, or with one bit of its mark set, it would be good. */
function endedCommit(log: Log, frame: number): boolean {
  if (log.follows(frame)) return log.endsCommit(frame)
  if (!log.isOfThisLog(frame) || log.endsCommit(frame)) return false
  for (let bit = 0; bit < COMMIT_BITS; bit++) if (log.follows(frame, 2 ** bit)) return true
  return false
}

/** Frames that SQLite would not read now, but that a later scan could take for commits. */
function hasRemains(log: Log, end: number): boolean {
  const first = end === 0 ? 0 : (end - HEADER_BYTES) / log.frameBytes
  for (let frame = first; frame < log.frames; frame++) if (log.isOfThisLog(frame)) return true
  return false
}

class Log {
  readonly hasGoodHeader: boolean
  readonly frameBytes: number
  /** Whole ones. */
  readonly frames: number
  readonly #bytes: DataView
  readonly #salts: Sums

  constructor(bytes: Uint8Array) {
    this.#bytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.hasGoodHeader = this.#isGoodHeader()
    this.frameBytes = FRAME_HEADER_BYTES + (this.hasGoodHeader ? this.#bytes.getUint32(8) : PAGE_BYTES)
    this.frames = Math.max(0, Math.floor((bytes.length - HEADER_BYTES) / this.frameBytes))
    this.#salts = this.hasGoodHeader ? this.#pair(16) : this.#saltsOfFrames()
  }

  /** A log starts again from its beginning under new salts: what lies behind may be of an earlier one. */
  isOfThisLog(frame: number): boolean {
    return this.#salts !== NONE && isSame(this.#saltsOf(frame), this.#salts)
  }

  endsCommit(frame: number): boolean {
    return this.#bytes.getUint32(this.#at(frame) + 4) !== 0
  }

  /** Whether its sums continue those of the frame before it; with another mark of a commit, if one is given. */
  follows(frame: number, mark?: number): boolean {
    const at = this.#at(frame)
    const before = this.#pair(frame === 0 ? HEADER_BYTES - 8 : at - this.frameBytes + 16)
    const head =
      mark === undefined
        ? this.#sum(before, at, 8)
        : addWords(before, this.#bytes.getUint32(at, true), swapBytes(mark))
    return isSame(
      this.#sum(head, at + FRAME_HEADER_BYTES, this.frameBytes - FRAME_HEADER_BYTES),
      this.#pair(at + 16),
    )
  }

  #isGoodHeader(): boolean {
    if (this.#bytes.byteLength < HEADER_BYTES || this.#bytes.getUint32(0) !== MAGIC) return false
    return isSame(this.#sum(NONE, 0, 24), this.#pair(24))
  }

  /** Those of the first frame that continues another one; zeros, which no log has, continue zeros. */
  #saltsOfFrames(): Sums {
    for (let frame = 1; frame < this.frames; frame++)
      if (!isSame(this.#saltsOf(frame), NONE) && this.follows(frame)) return this.#saltsOf(frame)
    return NONE
  }

  #saltsOf(frame: number): Sums {
    return this.#pair(this.#at(frame) + 8)
  }

  #at(frame: number): number {
    return HEADER_BYTES + frame * this.frameBytes
  }

  #pair(at: number): Sums {
    return [this.#bytes.getUint32(at), this.#bytes.getUint32(at + 4)]
  }

  #sum([first, second]: Sums, from: number, length: number): Sums {
    const bytes = this.#bytes
    for (let at = from; at < from + length; at += 8) {
      first = (first + bytes.getUint32(at, true) + second) | 0
      second = (second + bytes.getUint32(at + 4, true) + first) | 0
    }
    return [first >>> 0, second >>> 0]
  }
}

function addWords([first, second]: Sums, one: number, two: number): Sums {
  const next = (first + one + second) >>> 0
  return [next, (second + two + next) >>> 0]
}

function swapBytes(word: number): number {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint32(0, word)
  return view.getUint32(0, true)
}

function isSame(one: Sums, other: Sums): boolean {
  return one[0] === other[0] && one[1] === other[1]
}
