import type { Socket } from "node:net"
import type { Duplex } from "node:stream"

/** A reader who took nothing for as long, while something waits, has stopped. */
const STALLED_MS = 30_000
/** All that waits in memory for readers together; one alone is ended earlier (`UNREAD_MAX_BYTES`). */
const ALL_UNREAD_MAX_BYTES = 128 * 1024 * 1024
const SWEEP_MS = 5_000

/** `conn` is what is written to: the TLS socket itself, or a WebSocket on it. */
type Reader = { readonly conn: Duplex; readonly socket: Socket; taken: number; since: number }

/** Ends connections whose other side does not read, before they cost the others anything. */
export class Readers {
  readonly #readers = new Set<Reader>()
  readonly #timer = setInterval(() => this.sweep(Date.now()), SWEEP_MS).unref()

  watch(conn: Duplex, socket: Socket, now: number): void {
    const reader: Reader = { conn, socket, taken: 0, since: now }
    this.#readers.add(reader)
    socket.once("close", () => this.#readers.delete(reader))
  }

  /** Ends who has stopped, then whoever has most waiting, until the rest fits. */
  sweep(now: number): void {
    let unread = 0
    for (const reader of this.#readers) {
      if (hasStopped(reader, now)) reader.socket.destroy()
      else unread += reader.conn.writableLength
    }
    if (unread <= ALL_UNREAD_MAX_BYTES) return
    const byUnread = [...this.#readers].toSorted((a, b) => b.conn.writableLength - a.conn.writableLength)
    for (const { conn, socket } of byUnread) {
      if (unread <= ALL_UNREAD_MAX_BYTES) return
      unread -= conn.writableLength
      socket.destroy()
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }
}

function hasStopped(reader: Reader, now: number): boolean {
  const { conn, socket } = reader
  const taken = socket.bytesWritten - socket.writableLength
  if (conn.writableLength === 0 || taken !== reader.taken) {
    reader.taken = taken
    reader.since = now
  }
  return now - reader.since > STALLED_MS
}
