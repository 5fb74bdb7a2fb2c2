import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import { createWebSocketStream, WebSocketServer } from "ws"
import { PACKET_MAX_BYTES } from "../limits/packet-size-guard.ts"

/** Host, upgrade, key, version and protocol; no client needs a cookie here. */
const HEADERS_MAX_BYTES = 4_096
/** One WebSocket message may hold several MQTT packets, or a part of one (MQTT 3.1.1, section 6). */
const MESSAGE_MAX_BYTES = 2 * PACKET_MAX_BYTES
const PROTOCOL = "mqtt"
const FORBIDDEN = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n"

export type UpgradeHandler = (conn: Duplex, socket: TLSSocket) => void

/**
 * Takes TLS connections that begin with a WebSocket upgrade for MQTT, and hands out their bytes. Everything else gets
 * an HTTP refusal: also a page of a website, which could act for a user with a certificate in the browser. Who has not
 * asked within `patienceMs` is ended.
 */
export function webSocketHandler(
  onUpgrade: UpgradeHandler,
  connectTimeoutMs: number,
): (socket: TLSSocket) => void {
  const http = createServer({ maxHeaderSize: HEADERS_MAX_BYTES }, refuse)
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MESSAGE_MAX_BYTES,
    handleProtocols: () => PROTOCOL,
  })
  const timers = new WeakMap<object, NodeJS.Timeout>()
  // What comes out of http.Server is the very socket that went in.
  http.on("upgrade", (request, socket: TLSSocket, head) => {
    clearTimeout(timers.get(socket))
    if (!isMqttUpgrade(request)) socket.end(FORBIDDEN, () => socket.destroy())
    else webSockets.handleUpgrade(request, socket, head, (ws) => onUpgrade(createWebSocketStream(ws), socket))
  })
  return (socket) => {
    const timer = setTimeout(() => socket.destroy(), connectTimeoutMs)
    timers.set(socket, timer)
    socket.once("close", () => clearTimeout(timer))
    http.emit("connection", socket)
  }
}

function isMqttUpgrade({ headers }: IncomingMessage): boolean {
  const offered = headers["sec-websocket-protocol"]?.split(",").map((name) => name.trim())
  return offered?.includes(PROTOCOL) === true && headers.origin === undefined
}

function refuse(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, { Connection: "close", Upgrade: "websocket" }).end()
}
