import type { Duplex } from "node:stream"
import { type PacketBudget, PacketScanner } from "./packet-scanner.ts"

/** The largest sealed frame. */
export const PAYLOAD_MAX_BYTES = 65_536
/** The largest payload; topic and headers fit into the rest. */
export const PACKET_MAX_BYTES = 66_560
/** What a connection may leave unread before it is ended; the window of a queue (32 frames) fits. */
export const UNREAD_MAX_BYTES = 4 * 1024 * 1024

/** With so much unread nothing more is read: each answer to a ping is a write of its own, and costs far more than its bytes. */
const UNREAD_PAUSE_BYTES = 64 * 1024
/** Packets of one client that are read in one turn of the event loop: less than a millisecond of work, and then others have their turn. */
const PACKETS_PER_TURN = 16

/**
 * Ends the connection before a parser sees a packet that is too long or costs too much, reads nothing from a client
 * that does not read what it is answered, and nothing while its budget is spent. The parser behind collects a whole
 * packet in memory, and it does so before CONNECT too.
 */
export function guardReads(conn: Duplex, budget: PacketBudget): void {
  const scanner = new PacketScanner(budget)
  const read = conn.read.bind(conn)
  let isPaused = false
  const resume = (): void => {
    isPaused = false
    if (!conn.destroyed) conn.emit("readable")
  }
  const pause = (ms: number): void => {
    isPaused = true
    if (ms === 0) setImmediate(resume)
    else setTimeout(resume, ms).unref()
  }
  conn.read = (size?: number) => {
    if (isPaused) return null
    if (conn.writableNeedDrain && conn.writableLength > UNREAD_PAUSE_BYTES) {
      isPaused = true
      conn.once("drain", resume)
      return null
    }
    const chunk: unknown = read(size)
    if (!(chunk instanceof Uint8Array)) return chunk
    const scan = scanner.scan(chunk, PACKETS_PER_TURN)
    if (scan.kind === "admit") return chunk
    if (scan.kind === "refuse") {
      conn.destroy()
      return null
    }
    pause(scan.ms)
    // Back into the stream, which then does not end before it was read.
    conn.unshift(chunk.subarray(scan.bytes))
    return scan.bytes === 0 ? null : chunk.subarray(0, scan.bytes)
  }
}
