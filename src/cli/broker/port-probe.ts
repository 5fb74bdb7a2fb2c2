import { connect } from "node:net"
import { connect as connectTls } from "node:tls"
import type { BrokerAddress } from "../../transport/transport.ts"

/** Only names the cause of a failure, so it does not wait long. */
const PROBE_MS = 3_000
/** CONNECT of MQTT 3.1.1 with an empty client id, a new session and 10 s of keepalive; and the type of its answer. */
const CONNECT = Uint8Array.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 10, 0, 0)
const CONNACK = 0x20
/** How OpenSSL names an alert: only a TLS server sends one. */
const ALERT = /^ERR_SSL_.*_ALERT_/

/** Whether a TLS server listens there. Nothing about it is trusted. */
export function speaksTls({ host, port }: BrokerAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({ host, port, rejectUnauthorized: false, timeout: PROBE_MS })
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once("secureConnect", () => end(true))
    socket.once("timeout", () => end(false))
    socket.once("close", () => end(false))
    socket.on("error", ({ code = "" }: NodeJS.ErrnoException) => end(ALERT.test(code)))
  })
}

/** Whether an MQTT broker without TLS listens there. */
export function speaksPlainMqtt({ host, port }: BrokerAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PROBE_MS })
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once("connect", () => socket.write(CONNECT))
    socket.once("data", (chunk: Buffer) => end(chunk[0] === CONNACK))
    socket.once("timeout", () => end(false))
    socket.once("close", () => end(false))
    socket.on("error", () => end(false))
  })
}
