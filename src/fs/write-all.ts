import { writeSync } from "node:fs"
import type { FileHandle } from "node:fs/promises"

/**
 * Up to this size a synchronous write reaches the page cache in microseconds; a thread costs more and, under load, a
 * wait for a processor. Only fdatasync waits for the disk, and it is never called here.
 */
const AT_ONCE_BYTES = 64 * 1024

/**
 * Writes all of `bytes` at `position` and gives their number. A disk that has just filled up takes a part without an
 * error; the next write then rejects, as the system does.
 */
export async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<number> {
  let written = bytes.length <= AT_ONCE_BYTES ? writeSync(file.fd, bytes, 0, bytes.length, position) : 0
  while (written < bytes.length) {
    const result = await file.write(bytes, written, bytes.length - written, position + written)
    written += result.bytesWritten
  }
  return written
}

/** The same for callers that cannot wait; throws as the system does. */
export function writeAllNow(file: number, bytes: Uint8Array, position: number): void {
  for (let written = 0; written < bytes.length;) {
    written += writeSync(file, bytes, written, bytes.length - written, position + written)
  }
}
