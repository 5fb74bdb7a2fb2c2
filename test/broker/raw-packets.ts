/** MQTT 3.1.1, written by hand: what no client library would send. */

const KEEPALIVE_S = 600
/** Level 4, clean session. */
const LEVEL_AND_FLAGS = [4, 2] as const
const PACKET_ID = [0, 1] as const

/** Section 2.2. */
export function packet(first: number, body: Buffer): Buffer {
  const header = [first]
  let rest = body.length
  do {
    header.push((rest % 128) | (rest >= 128 ? 128 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Buffer.concat([Buffer.from(header), body])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])
}

/** A clean session. */
export function connectPacket(clientId: string): Buffer {
  const fixed = Buffer.from([...LEVEL_AND_FLAGS, KEEPALIVE_S >> 8, KEEPALIVE_S & 255])
  return packet(0x10, Buffer.concat([text("MQTT"), fixed, text(clientId)]))
}

/** Sections 3.8 and 3.10; each filter with QoS 0. */
export function filtersPacket(kind: "subscribe" | "unsubscribe", filters: readonly string[]): Buffer {
  const qos = Buffer.alloc(kind === "subscribe" ? 1 : 0)
  const parts = filters.flatMap((filter) => [text(filter), qos])
  return packet(kind === "subscribe" ? 0x82 : 0xa2, Buffer.concat([Buffer.from(PACKET_ID), ...parts]))
}

/** QoS 1. */
export function publishPacket(topic: string, payload: Buffer): Buffer {
  return packet(0x32, Buffer.concat([text(topic), Buffer.from(PACKET_ID), payload]))
}

export function pings(count: number): Buffer {
  return Buffer.alloc(2 * count, packet(0xc0, Buffer.alloc(0)))
}
