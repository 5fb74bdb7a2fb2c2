import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import { createWebSocketStream, type WebSocket, WebSocketServer } from "ws"
import type { PacketBudget } from "../limits/packet-scanner.ts"
import { PACKET_MAX_BYTES } from "../limits/packet-size-guard.ts"

/** Host, upgrade, key, version and protocol; no client needs a cookie here. */
const HEADERS_MAX_BYTES = 4_096
/** One WebSocket message may hold several MQTT packets, or a part of one (MQTT 3.1.1, section 6). */
const MESSAGE_MAX_BYTES = 2 * PACKET_MAX_BYTES
/** Clients send a message in one piece; an empty piece costs work and shows up nowhere. */
const FRAGMENTS_MAX = 64
/** Pieces of TCP that one message may arrive in. */
const CHUNKS_MAX = 4_096
const PROTOCOL = "mqtt"
const FORBIDDEN = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n"

/** Returns what the connection may send. */
export type UpgradeHandler = (conn: Duplex, socket: TLSSocket, onAccepted: () => void) => PacketBudget

/**
 * Takes TLS connections that begin with a WebSocket upgrade for MQTT, and hands out their bytes. Everything else gets
 * an HTTP refusal: also a page of a website, which could act for a user with a certificate in the browser. Who has not
 * asked within `patienceMs` is ended.
 */
export function webSocketHandler(
  onUpgrade: UpgradeHandler,
  connectTimeoutMs: number,
): (socket: TLSSocket, onAccepted: () => void) => void {
  const http = createServer({ maxHeaderSize: HEADERS_MAX_BYTES }, refuse)
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MESSAGE_MAX_BYTES,
    maxFragments: FRAGMENTS_MAX,
    maxBufferedChunks: CHUNKS_MAX,
    autoPong: false,
    handleProtocols: () => PROTOCOL,
  })
  const pending = new WeakMap<object, { readonly timer: NodeJS.Timeout; readonly onAccepted: () => void }>()
  // What comes out of http.Server is the very socket that went in.
  http.on("upgrade", (request, socket: TLSSocket, head) => {
    const { timer, onAccepted } = pending.get(socket) ?? UNKNOWN_SOCKET
    clearTimeout(timer)
    if (!isMqttUpgrade(request)) socket.end(FORBIDDEN, () => socket.destroy())
    else
      webSockets.handleUpgrade(request, socket, head, (ws) =>
        chargeFrames(ws, onUpgrade(createWebSocketStream(ws), socket, onAccepted)),
      )
  })
  return (socket, onAccepted) => {
    const timer = setTimeout(() => socket.destroy(), connectTimeoutMs)
    pending.set(socket, { timer, onAccepted })
    socket.once("close", () => clearTimeout(timer))
    http.emit("connection", socket)
  }
}

const UNKNOWN_SOCKET = { timer: undefined, onAccepted: (): void => undefined }

/** Messages without a byte of MQTT, and pings, would cost nothing otherwise. */
function chargeFrames(ws: WebSocket, budget: PacketBudget): void {
  const charge = (): boolean => {
    if (budget.begin("frame") === 0) return true
    ws.terminate()
    return false
  }
  ws.on("message", charge).on("pong", charge)
  ws.on("ping", (data) => {
    if (charge() && ws.bufferedAmount === 0) ws.pong(data)
  })
}

function isMqttUpgrade({ headers }: IncomingMessage): boolean {
  const offered = headers["sec-websocket-protocol"]?.split(",").map((name) => name.trim())
  return offered?.includes(PROTOCOL) === true && headers.origin === undefined
}

function refuse(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, { Connection: "close", Upgrade: "websocket" }).end()
}
