import type { Packet } from "mqtt-packet"

import type { Interceptor, ProxiedConnection, Side } from "./proxy.ts"
import { tampered } from "./network-model.ts"

const LATE_MS = 15

type Interception = {
  readonly side: Side
  readonly packet: Packet & { readonly cmd: "publish" | "puback" }
  readonly connection: ProxiedConnection
  readonly number: number
}

/** What happens to a PUBLISH or a PUBACK, in either direction. */
const PACKET_FAULTS = {
  none: ({ side, packet, connection }: Interception) => connection.send(side, packet),
  twice: ({ side, packet, connection }: Interception) => {
    connection.send(side, packet)
    connection.send(side, packet)
  },
  late: ({ side, packet, connection }: Interception) => {
    setTimeout(() => connection.send(side, packet), LATE_MS)
  },
  /** Lost. */
  swallow: () => undefined,
  /** Acknowledged by the proxy, and lost. */
  lose: ({ side, packet, connection }: Interception) => {
    if (packet.cmd === "publish") acknowledge(packet.messageId, side, connection)
  },
  /** Another packet is acknowledged instead, or as well. */
  mistake: ({ side, packet, connection, number }: Interception) => {
    const messageId = ((packet.messageId ?? 0) + number) % 65_535
    if (packet.cmd === "puback") {
      connection.send(side, { ...packet, messageId })
      return
    }
    acknowledge(messageId, side, connection)
    connection.send(side, packet)
  },
  tamper: ({ side, packet, connection, number }: Interception) => {
    if (packet.cmd === "puback") {
      connection.send(side, packet)
      return
    }
    connection.send(side, { ...packet, payload: Buffer.from(tampered(bytesOf(packet.payload), number)) })
  },
  truncate: ({ side, packet, connection, number }: Interception) => {
    if (packet.cmd === "puback") {
      connection.send(side, packet)
      return
    }
    const payload = bytesOf(packet.payload)
    connection.send(side, { ...packet, payload: payload.subarray(0, (payload.length * (number % 7)) / 7) })
  },
  close: ({ connection }: Interception) => connection.close(),
  cut: ({ side, packet, connection }: Interception) => connection.cut(side, packet),
}

export type PacketFault = keyof typeof PACKET_FAULTS

/** Applies the next of these to each PUBLISH and PUBACK, in a cycle; other packets pass. */
export function injectFaults(faults: readonly PacketFault[]): Interceptor {
  let number = 0
  return (side, packet, connection) => {
    if (packet.cmd !== "publish" && packet.cmd !== "puback") {
      connection.send(side, packet)
      return
    }
    const fault = faults[number++ % faults.length] ?? "none"
    PACKET_FAULTS[fault]({ side, packet, connection, number })
  }
}

function acknowledge(messageId: number | undefined, side: Side, connection: ProxiedConnection): void {
  const back = side === "to broker" ? "to client" : "to broker"
  if (messageId !== undefined && messageId !== 0) connection.send(back, { cmd: "puback", messageId })
}

function bytesOf(payload: Buffer | string): Buffer {
  return Buffer.isBuffer(payload) ? payload : Buffer.from(payload)
}
