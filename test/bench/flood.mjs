/**
 * Floods a broker until it is killed: standard input is JSON with the port, the authority, the kind of flood and the
 * clients, each with an address of loopback and perhaps a certificate. A client that was ended comes back at once.
 */
import { text } from "node:stream/consumers"
import { connect as connectTcp } from "node:net"
import { connect as connectTls } from "node:tls"
import { connectPacket, filtersPacket, packet, pings, publishPacket } from "../broker/raw-packets.ts"

const AGAIN_MS = 20
const many = (count, filter) => Array.from({ length: count }, () => filter)
const repeated = (bytes) => Buffer.concat(Array.from({ length: 500 }, () => bytes))
const NAMEPLATE = "mc/1/p/17"

/** What each kind writes, over and over. */
const FLOODS = {
  subscribe: filtersPacket("subscribe", many(16_000, "a")),
  unsubscribe: filtersPacket("unsubscribe", many(20_000, "a")),
  "subscribe, allowed": repeated(filtersPacket("subscribe", [NAMEPLATE])),
  ping: pings(32_000),
  publish: repeated(publishPacket(NAMEPLATE, Buffer.alloc(1))),
  acknowledge: repeated(packet(0x40, Buffer.from([0, 1]))),
  connect: undefined,
  silent: undefined,
}

const { port, ca, kind, clients } = JSON.parse(await text(process.stdin))

function begin(client) {
  const { localAddress, id = "anyone", certificate: cert, key } = client
  const at = { host: "127.0.0.1", port, localAddress }
  const socket =
    kind === "silent" ? connectTcp(at) : connectTls({ ...at, ca, cert, key, ALPNProtocols: ["mqtt"] })
  socket.on("error", () => undefined).on("data", () => undefined)
  socket.once("close", () => setTimeout(begin, AGAIN_MS, client))
  socket.once("secureConnect", () => {
    socket.write(connectPacket(id))
    if (kind === "connect") socket.once("data", () => socket.destroy())
    else flood(socket)
  })
}

function flood(socket) {
  while (!socket.destroyed && socket.write(FLOODS[kind]));
  socket.once("drain", () => flood(socket))
}

for (const client of clients) begin(client)
