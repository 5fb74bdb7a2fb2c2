import { equal } from "../crypto/bytes.ts"
import type { HeaderKey, MessageKey } from "../crypto/bytes.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import type { Reader, Writer } from "../wire/codec.ts"
import { TAG_BYTES } from "../wire/sizes.ts"
import { SKIPPED_MAX } from "./skipped.ts"
import type { SkippedKey } from "./state.ts"

const MESSAGE_KEY_BYTES = 64

/** Adjacent keys of one chain and date share a run, so that a long gap costs 80 bytes per key and not 120. */
type Run = { readonly headerKey: HeaderKey; readonly storedAt: number; readonly keys: SkippedKey[] }

/** `runs u16`, then for each `header key 32 | stored u64 | keys u16 | (tag 16 | message key 64) ...` [S-50]. */
export function writeSkipped(writer: Writer, skipped: readonly SkippedKey[]): void {
  const runs: Run[] = []
  for (const key of skipped) {
    const last = runs.at(-1)
    if (last !== undefined && belongs(last, key)) last.keys.push(key)
    else runs.push({ headerKey: key.headerKey, storedAt: key.storedAt, keys: [key] })
  }
  writer.u16(runs.length)
  for (const run of runs) {
    writer.bytes(run.headerKey).u64(run.storedAt).u16(run.keys.length)
    for (const key of run.keys) writer.bytes(key.tag).bytes(key.messageKey)
  }
}

export function readSkipped(reader: Reader): SkippedKey[] {
  const skipped: SkippedKey[] = []
  const runs = reader.u16()
  for (let run = 0; run < runs && !reader.spoilt; run += 1) readRun(reader, skipped)
  if (skipped.length > SKIPPED_MAX) reader.refuse()
  return skipped
}

function readRun(reader: Reader, skipped: SkippedKey[]): void {
  const run = { headerKey: reader.bytes(KEY_BYTES) as HeaderKey, storedAt: reader.u64() }
  const before = skipped.at(-1)
  const count = reader.u16()
  if (count === 0 || count > SKIPPED_MAX || (before !== undefined && belongs(run, before))) reader.refuse()
  for (let at = 0; at < count && !reader.spoilt; at += 1) {
    const tag = reader.bytes(TAG_BYTES)
    skipped.push({ ...run, tag, messageKey: reader.bytes(MESSAGE_KEY_BYTES) as MessageKey })
  }
}

function belongs(run: Pick<Run, "headerKey" | "storedAt">, key: SkippedKey): boolean {
  return run.storedAt === key.storedAt && equal(run.headerKey, key.headerKey)
}
