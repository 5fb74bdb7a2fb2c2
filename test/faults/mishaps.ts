import type { IPublishPacket, Packet } from "mqtt-packet"

import type { Interfere, Passage, Side } from "./proxy.ts"
import { tampered } from "./weather.ts"

/** What becomes of a PUBLISH or a PUBACK, in either direction. */
export const MISHAPS = [
  "pass",
  /** Acknowledged by nobody who has it. */
  "lose",
  /** Never heard of again. */
  "swallow",
  "twice",
  "late",
  "tamper",
  "truncate",
  /** Something else is acknowledged besides. */
  "mistake",
  "close",
  "cut",
] as const

export type Mishap = (typeof MISHAPS)[number]

const LATE_MS = 15

/** Each PUBLISH and PUBACK meets the next of these, again and again; other packets pass. */
export function befall(mishaps: readonly Mishap[]): Interfere {
  let packets = 0
  return (side, packet, passage) => {
    if (packet.cmd !== "publish" && packet.cmd !== "puback") return passage.send(side, packet)
    const number = packets++
    const mishap = mishaps[number % mishaps.length] ?? "pass"
    switch (mishap) {
      case "pass":
        return passage.send(side, packet)
      case "twice":
        passage.send(side, packet)
        return passage.send(side, packet)
      case "late":
        setTimeout(() => passage.send(side, packet), LATE_MS)
        return
      case "close":
        return passage.close()
      case "cut":
        return passage.cut(side, packet)
      case "swallow":
        return
      default:
        return spoil(mishap, { side, packet, passage, number })
    }
  }
}

type Meeting = {
  readonly side: Side
  readonly packet: Packet
  readonly passage: Passage
  readonly number: number
}

function spoil(mishap: "lose" | "tamper" | "truncate" | "mistake", meeting: Meeting): void {
  const { side, packet, passage, number } = meeting
  if (packet.cmd !== "publish")
    return passage.send(side, { ...packet, messageId: (packet.messageId ?? 0) + 1 })
  const payload = bytesOf(packet)
  switch (mishap) {
    case "lose":
      return acknowledge(packet.messageId, side, passage)
    case "tamper":
      return passage.send(side, { ...packet, payload: Buffer.from(tampered(payload, number)) })
    case "truncate":
      return passage.send(side, {
        ...packet,
        payload: payload.subarray(0, (payload.length * (number % 7)) / 7),
      })
    case "mistake":
      acknowledge((packet.messageId ?? 0) + 7, side, passage)
      return passage.send(side, packet)
  }
}

function acknowledge(messageId: number | undefined, side: Side, passage: Passage): void {
  const back = side === "to broker" ? "to client" : "to broker"
  if (messageId !== undefined) passage.send(back, { cmd: "puback", messageId })
}

function bytesOf({ payload }: IPublishPacket): Buffer {
  return Buffer.isBuffer(payload) ? payload : Buffer.from(payload)
}
