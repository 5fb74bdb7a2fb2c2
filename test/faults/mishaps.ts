import type { Packet } from "mqtt-packet"

import type { Interfere, Passage, Side } from "./proxy.ts"
import { tampered } from "./weather.ts"

const LATE_MS = 15

type Meeting = {
  readonly side: Side
  readonly packet: Packet & { readonly cmd: "publish" | "puback" }
  readonly passage: Passage
  readonly number: number
}

/** What becomes of a PUBLISH or a PUBACK, in either direction. */
const MISHAPS = {
  none: ({ side, packet, passage }: Meeting) => passage.send(side, packet),
  twice: ({ side, packet, passage }: Meeting) => {
    passage.send(side, packet)
    passage.send(side, packet)
  },
  late: ({ side, packet, passage }: Meeting) => {
    setTimeout(() => passage.send(side, packet), LATE_MS)
  },
  /** Never heard of again. */
  swallow: () => undefined,
  /** Acknowledged by nobody who has it. */
  lose: ({ side, packet, passage }: Meeting) => {
    if (packet.cmd === "publish") acknowledge(packet.messageId, side, passage)
  },
  /** Something else is acknowledged instead, or besides. */
  mistake: ({ side, packet, passage, number }: Meeting) => {
    const messageId = ((packet.messageId ?? 0) + number) % 65_535
    if (packet.cmd === "puback") {
      passage.send(side, { ...packet, messageId })
      return
    }
    acknowledge(messageId, side, passage)
    passage.send(side, packet)
  },
  tamper: ({ side, packet, passage, number }: Meeting) => {
    if (packet.cmd === "puback") {
      passage.send(side, packet)
      return
    }
    passage.send(side, { ...packet, payload: Buffer.from(tampered(bytesOf(packet.payload), number)) })
  },
  truncate: ({ side, packet, passage, number }: Meeting) => {
    if (packet.cmd === "puback") {
      passage.send(side, packet)
      return
    }
    const payload = bytesOf(packet.payload)
    passage.send(side, { ...packet, payload: payload.subarray(0, (payload.length * (number % 7)) / 7) })
  },
  close: ({ passage }: Meeting) => passage.close(),
  cut: ({ side, packet, passage }: Meeting) => passage.cut(side, packet),
}

export type Mishap = keyof typeof MISHAPS

/** Each PUBLISH and PUBACK meets the next of these, again and again; other packets pass. */
export function befall(mishaps: readonly Mishap[]): Interfere {
  let number = 0
  return (side, packet, passage) => {
    if (packet.cmd !== "publish" && packet.cmd !== "puback") {
      passage.send(side, packet)
      return
    }
    const mishap = mishaps[number++ % mishaps.length] ?? "none"
    MISHAPS[mishap]({ side, packet, passage, number })
  }
}

function acknowledge(messageId: number | undefined, side: Side, passage: Passage): void {
  const back = side === "to broker" ? "to client" : "to broker"
  if (messageId !== undefined && messageId !== 0) passage.send(back, { cmd: "puback", messageId })
}

function bytesOf(payload: Buffer | string): Buffer {
  return Buffer.isBuffer(payload) ? payload : Buffer.from(payload)
}
