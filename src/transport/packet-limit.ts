/** The largest payload is 65,536 bytes; topic, properties and header need far less than the rest. */
export const PACKET_BYTES_MAX = 66_560

/** A remaining length has at most four bytes (MQTT 3.1.1 section 2.2.3). */
const LENGTH_BYTES_MAX = 4

/**
 * Watches a stream of MQTT packets and answers, for each chunk, whether all lengths announced so far are within
 * `limit`: the parser buffers any length that a hostile broker names, up to 256 MiB.
 */
export function packetLimit(limit: number): (chunk: Uint8Array) => boolean {
  let skip = 0
  let lengthBytes = -1
  let length = 0

  /** Takes one byte of a fixed header; false when it announces too much. */
  function header(byte: number): boolean {
    if (lengthBytes < 0) {
      lengthBytes = 0
      length = 0
      return true
    }
    length += (byte & 0x7f) * 128 ** lengthBytes
    lengthBytes += 1
    if (byte >= 0x80) return lengthBytes < LENGTH_BYTES_MAX
    skip = length
    lengthBytes = -1
    return length <= limit
  }

  return (chunk) => {
    let at = 0
    while (at < chunk.length) {
      const jump = Math.min(skip, chunk.length - at)
      skip -= jump
      at += jump
      const byte = chunk[at]
      if (byte === undefined) return true
      if (!header(byte)) return false
      at += 1
    }
    return true
  }
}
