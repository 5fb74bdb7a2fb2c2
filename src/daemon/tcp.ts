import { createHash, timingSafeEqual } from "node:crypto"
import { type AddressInfo, createServer, type Socket } from "node:net"
import * as v from "valibot"

import { ACCESS } from "../engine/api.ts"
import { codeOf, Fault } from "../errors.ts"
import { UnauthenticatedClients } from "../unauthenticated-clients.ts"
import type { Service } from "./connection.ts"
import { isInvalid, parseRequest, writeAnswer } from "./rpc.ts"
import { RpcConnections, CONNECTIONS_MAX, closeAll, listen, type RunningServer } from "./server.ts"

/** A token line has about 120 bytes. */
const AUTH_BYTES_MAX = 512
/** A program sends its token at once. */
const AUTH_MS = 5_000
/** Any user of this machine can connect: of those that have not shown the token yet, the oldest makes room. */
const UNAUTHENTICATED_MAX = 32

const LF = 0x0a
const OPENING_BRACE = 0x7b

/** Only this machine can reach it. */
export type LoopbackAddress = { readonly host: "127.0.0.1" | "::1"; readonly port: number }

/**
 * As `serveCommands`, over TCP on loopback. The first line has to be an `auth` with the token, or the connection is
 * closed without an answer: a web page can make a browser connect, but cannot send that line. Fault `unavailable` if
 * the port is taken.
 */
export async function serveTcp(
  service: Service,
  address: LoopbackAddress,
  token: string,
): Promise<RunningServer & { readonly port: number }> {
  const connections = new RpcConnections(service)
  const unauthenticated = new Set<Socket>()
  const clients = new UnauthenticatedClients(UNAUTHENTICATED_MAX)
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    unauthenticated.add(socket)
    const remove = clients.add("", () => socket.destroy())
    void authenticate(socket, token).then((isAuthenticated) => {
      unauthenticated.delete(socket)
      remove()
      if (isAuthenticated) connections.add(socket)
      else socket.destroy()
    })
  })
  server.maxConnections = CONNECTIONS_MAX
  try {
    await listen(server, address)
  } catch (cause) {
    const why = codeOf(cause) ?? "unknown error"
    throw new Fault("unavailable", `cannot listen on ${address.host} port ${address.port}: ${why}`)
  }
  const close = async (): Promise<void> => {
    for (const socket of unauthenticated) socket.destroy()
    await closeAll(server, connections)
  }
  return { port: (server.address() as AddressInfo).port, close }
}

async function authenticate(socket: Socket, token: string): Promise<boolean> {
  const line = await firstLine(socket)
  const request = parseRequest(line ?? "")
  if (isInvalid(request) || request.method !== "auth") return false
  if (!v.is(ACCESS.auth.params, request.params) || !isSame(request.params.token, token)) return false
  socket.write(writeAnswer({ kind: "result", id: request.id, result: null }))
  return true
}

/** Leaves what follows the line in the paused socket. Undefined if no line of JSON has come in time. */
function firstLine(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    let received: Buffer = Buffer.alloc(0)
    const receive = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk])
      const end = received.indexOf(LF)
      if (received[0] !== OPENING_BRACE || (end === -1 ? received.length : end) > AUTH_BYTES_MAX)
        finish(undefined)
      else if (end !== -1) {
        socket.pause()
        socket.unshift(received.subarray(end + 1))
        finish(received.subarray(0, end).toString("utf8"))
      }
    }
    const giveUp = (): void => finish(undefined)
    const timeout = setTimeout(giveUp, AUTH_MS)
    const finish = (line: string | undefined): void => {
      clearTimeout(timeout)
      socket.off("data", receive).off("end", giveUp).off("close", giveUp)
      resolve(line)
    }
    socket.on("error", () => socket.destroy())
    socket.on("data", receive).once("end", giveUp).once("close", giveUp)
  })
}

/** Takes the same time no matter where they differ. */
function isSame(shown: string, token: string): boolean {
  const [a, b] = [shown, token].map((text) => createHash("sha256").update(text).digest())
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}
