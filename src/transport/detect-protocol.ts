import { randomBytes } from "node:crypto"
import { connect } from "node:net"
import type { Duplex } from "node:stream"

import type { BrokerAddress } from "./transport.ts"

/** A broker answers a CONNECT within some ms; a server of something else may wait for more, for ever. */
const ANSWER_MS = 3_000
/** CONNACK (MQTT 3.1.1 section 3.2): the type in the upper half of the first byte. */
const CONNACK = 0x20
/** An alert, as a TLS server answers what is no TLS (RFC 8446 section 5.1). */
const TLS_ALERT = 0x15
const ID_BYTES = 6

/** What a server answers to MQTT: "nothing" if it says nothing, or hangs up. */
export type Protocol = "mqtt" | "http" | "tls" | "something else" | "nothing"

/** What a server speaks without TLS. It learns nothing: no name, no account, an id that is thrown away. */
export function protocolInClear(address: BrokerAddress): Promise<Protocol> {
  const socket = connect(address)
  return protocolOver(socket, new Promise((resolve) => socket.once("connect", resolve)))
}

/** What the other end of this stream speaks. The stream is destroyed. */
export async function protocolOver(
  stream: Duplex,
  open: Promise<unknown> = Promise.resolve(),
): Promise<Protocol> {
  const answer = new Promise<Protocol>((resolve) => {
    const timer = setTimeout(() => resolve("nothing"), ANSWER_MS)
    stream.on("error", () => resolve("nothing"))
    stream.once("close", () => {
      clearTimeout(timer)
      resolve("nothing")
    })
    stream.once("data", (bytes: Buffer) => resolve(protocolOf(bytes)))
  })
  void open.then(() => stream.write(connectPacket()))
  const protocol = await answer
  stream.destroy()
  return protocol
}

function protocolOf(bytes: Buffer): Protocol {
  if (bytes[0] === CONNACK) return "mqtt"
  if (bytes[0] === TLS_ALERT) return "tls"
  return bytes.subarray(0, 5).toString("latin1") === "HTTP/" ? "http" : "something else"
}

/** CONNECT of MQTT 3.1.1 with a clean session and neither user name nor password (section 3.1). */
function connectPacket(): Buffer {
  const id = Buffer.from(randomBytes(ID_BYTES).toString("hex"))
  const head = Buffer.from([0x00, 0x04, 0x4d, 0x51, 0x54, 0x54, 0x04, 0x02, 0x00, 0x0a, 0x00, id.length])
  return Buffer.concat([Buffer.from([0x10, head.length + id.length]), head, id])
}
