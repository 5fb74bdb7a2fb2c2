import { utf8 } from "../../crypto/bytes.ts"

/** Type 3, QoS 1; bit 3 says that it was sent before (MQTT 3.1.1, section 3.3.1). */
const PUBLISH_QOS_1 = 0x32
const DUP = 0x08
/** Four bytes of seven bits each carry the length (section 2.2.3). */
const LENGTH_MAX_BYTES = 4

export type Publish = {
  readonly topic: string
  readonly payload: Uint8Array
  /** 1 to 65,535. */
  readonly messageId: number
  /** True if it was sent on an earlier connection. */
  readonly dup: boolean
}

/** A PUBLISH packet of QoS 1 as it stands on the wire (MQTT 3.1.1, section 3.3). */
export function publishPacket({ topic, payload, messageId, dup }: Publish): Buffer {
  const name = utf8(topic)
  const packet = Buffer.allocUnsafe(1 + LENGTH_MAX_BYTES + 4 + name.length + payload.length)
  let offset = packet.writeUInt8(dup ? PUBLISH_QOS_1 | DUP : PUBLISH_QOS_1, 0)
  offset = writeLength(packet, offset, 4 + name.length + payload.length)
  offset = packet.writeUInt16BE(name.length, offset)
  packet.set(name, offset)
  offset = packet.writeUInt16BE(messageId, offset + name.length)
  packet.set(payload, offset)
  return packet.subarray(0, offset + payload.length)
}

function writeLength(packet: Buffer, offset: number, length: number): number {
  let left = length
  let next = offset
  while (left > 127) {
    next = packet.writeUInt8((left & 127) | 128, next)
    left >>= 7
  }
  return packet.writeUInt8(left, next)
}
