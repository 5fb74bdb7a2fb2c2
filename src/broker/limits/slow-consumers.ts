import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { monotonic } from "./monotonic.ts"

/** A reader who took nothing for as long, while something waits, has stopped. */
const STALLED_MS = 30_000
/** All that waits in memory for readers together; one alone is ended earlier (`UNREAD_MAX_BYTES`). */
const ALL_UNREAD_MAX_BYTES = 128 * 1024 * 1024
const SWEEP_MS = 5_000

/** `conn` is what is written to: the TLS socket itself, or a WebSocket on it. */
type Consumer = { readonly conn: Duplex; readonly socket: Socket; taken: number; since: number }

/** Ends connections whose other side does not read, before they cost the others anything. */
export class SlowConsumers {
  readonly #consumers = new Set<Consumer>()
  readonly #timer = setInterval(() => this.sweep(monotonic()), SWEEP_MS).unref()

  watch(conn: Duplex, socket: Socket, now: number): void {
    const consumer: Consumer = { conn, socket, taken: 0, since: now }
    this.#consumers.add(consumer)
    socket.once("close", () => this.#consumers.delete(consumer))
  }

  /** Disconnects stopped readers, then those with most unread bytes, until the rest fits. */
  sweep(now: number): void {
    let unread = 0
    for (const consumer of this.#consumers) {
      if (isStalled(consumer, now)) consumer.socket.destroy()
      else unread += consumer.conn.writableLength
    }
    if (unread <= ALL_UNREAD_MAX_BYTES) return
    const byUnread = [...this.#consumers].toSorted((a, b) => b.conn.writableLength - a.conn.writableLength)
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

function isStalled(consumer: Consumer, now: number): boolean {
  const { conn, socket } = consumer
  const taken = socket.bytesWritten - socket.writableLength
  if (conn.writableLength === 0 || taken !== consumer.taken) {
    consumer.taken = taken
    consumer.since = now
  }
  return now - consumer.since > STALLED_MS
}
