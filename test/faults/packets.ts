import type { TLSSocket } from "node:tls"
import { generate, parser, type Packet } from "mqtt-packet"

/** MQTT packets over one socket, in both directions. */
export type PacketStream = {
  readonly socket: TLSSocket
  /** Protocol level of this connection: 4 until its CONNECT has another. */
  version: number
  readonly send: (packet: Packet) => void
  /** Sends half of its bytes, then ends the connection. */
  readonly cut: (packet: Packet) => void
}

/** `take` gets each whole packet; a peer that does not speak MQTT is disconnected. */
export function packetsOf(socket: TLSSocket, onPacket: (packet: Packet) => void): PacketStream {
  const settings = { protocolVersion: 4 }
  const reader = parser(settings)
  const stream: PacketStream = {
    socket,
    get version() {
      return settings.protocolVersion
    },
    set version(version) {
      settings.protocolVersion = version
    },
    send: (packet) => {
      if (!socket.destroyed) socket.write(generate(packet, settings))
    },
    cut: (packet) => {
      const bytes = generate(packet, settings)
      socket.write(bytes.subarray(0, bytes.length >> 1), () => socket.destroy())
    },
  }
  reader.on("packet", (packet: Packet) => {
    if (packet.cmd === "connect")
      settings.protocolVersion = packet.protocolVersion ?? settings.protocolVersion
    onPacket(packet)
  })
  reader.on("error", () => socket.destroy())
  socket.on("data", (bytes: Buffer) => reader.parse(bytes))
  socket.on("error", () => socket.destroy())
  return stream
}
