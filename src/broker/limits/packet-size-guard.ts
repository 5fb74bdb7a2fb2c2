import type { Duplex } from "node:stream"

/** The largest sealed frame. */
export const PAYLOAD_MAX_BYTES = 65_536
/** The largest payload; topic and headers fit into the rest. */
export const PACKET_MAX_BYTES = 66_560
/** Client id and protocol name are all that a CONNECT of ours carries; an account's name and password fit too. */
export const CONNECT_MAX_BYTES = 4_096
/** What a connection may leave unread before it is ended; the window of a queue (32 frames) fits. */
export const UNREAD_MAX_BYTES = 4 * 1024 * 1024

/** With so much unread nothing more is read: each answer to a ping is a write of its own, and costs far more than its bytes. */
const UNREAD_PAUSE_BYTES = 64 * 1024

const CONNECT = 1
/** MQTT 3.1.1, section 2.2.3: at most four bytes of length. */
const LENGTH_MAX_BYTES = 4

/** Follows packet boundaries in a stream of bytes and stores none of them. */
export class PacketScanner {
  #expects: "type" | "length" | "body" = "type"
  #lengthBytes = 0
  #remaining = 0
  #limit = CONNECT_MAX_BYTES
  #connected = false

  /** False once a packet is announced that is too long, or the first is no CONNECT; nothing is admitted after that. */
  admit(chunk: Uint8Array): boolean {
    let offset = 0
    while (offset < chunk.length) {
      if (this.#expects === "body") {
        const skipped = Math.min(this.#remaining, chunk.length - offset)
        offset += skipped
        this.#remaining -= skipped
        if (this.#remaining === 0) this.#expects = "type"
      } else if (!this.#header(chunk[offset++] ?? 0)) return false
    }
    return true
  }

  #header(byte: number): boolean {
    if (this.#expects === "type") {
      if (!this.#connected && byte >> 4 !== CONNECT) return false
      this.#limit = this.#connected ? PACKET_MAX_BYTES : CONNECT_MAX_BYTES
      this.#connected = true
      this.#expects = "length"
      this.#lengthBytes = 0
      this.#remaining = 0
      return true
    }
    this.#remaining += (byte & 127) * 128 ** this.#lengthBytes++
    if (byte > 127) return this.#lengthBytes < LENGTH_MAX_BYTES
    this.#expects = this.#remaining === 0 ? "type" : "body"
    return this.#remaining <= this.#limit
  }
}

/**
 * Ends the connection before a parser sees a packet that is too long, and reads nothing from who does not read what it
 * is answered. The parser behind collects a whole packet in memory, and it does so before CONNECT too.
 */
export function guardReads(conn: Duplex): void {
  const scanner = new PacketScanner()
  const read = conn.read.bind(conn)
  let isPaused = false
  const resume = (): void => {
    isPaused = false
    conn.emit("readable")
  }
  conn.read = (size?: number) => {
    if (conn.writableNeedDrain && conn.writableLength > UNREAD_PAUSE_BYTES) {
      if (!isPaused) conn.once("drain", resume)
      isPaused = true
      return null
    }
    const chunk: unknown = read(size)
    if (!(chunk instanceof Uint8Array)) return chunk
    if (scanner.admit(chunk)) return chunk
    conn.destroy()
    return null
  }
}
