import { createHash, timingSafeEqual } from "node:crypto"
import { type AddressInfo, createServer, type Socket } from "node:net"
import * as v from "valibot"

import { ACCESS } from "../chat/api.ts"
import { Fault } from "../errors.ts"
import type { Service } from "./caller.ts"
import { isRefused, parseRequest, writeAnswer } from "./rpc.ts"
import { Callers, CALLERS_MAX, closeAll, listen, type Served } from "./server.ts"

/** A token line has about 120 bytes. */
const AUTH_BYTES_MAX = 512
/** A program sends its token at once. */
const AUTH_MS = 5_000
/** Any user of this machine can connect: those who have not shown the token yet share so many places. */
const STRANGERS_MAX = 32

const LF = 0x0a
const OPENING_BRACE = 0x7b

/** This machine alone. */
export type LoopbackPlace = { readonly host: "127.0.0.1" | "::1"; readonly port: number }

/**
 * As `serveCommands`, over TCP on loopback. The first line has to be an `auth` with the token, or the connection is
 * closed without a word: a web page can make a browser connect, but not begin with that. Fault `unavailable` when the
 * port is taken.
 */
export async function serveTcp(
  service: Service,
  place: LoopbackPlace,
  token: string,
): Promise<Served & { readonly port: number }> {
  const callers = new Callers(service)
  const strangers = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    if (strangers.size >= STRANGERS_MAX) {
      socket.destroy()
      return
    }
    strangers.add(socket)
    void admit(socket, token).then((isAdmitted) => {
      strangers.delete(socket)
      if (isAdmitted) callers.add(socket)
      else socket.destroy()
    })
  })
  server.maxConnections = CALLERS_MAX
  try {
    await listen(server, place)
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error"
    throw new Fault("unavailable", `cannot listen on ${place.host} port ${place.port}: ${why}`)
  }
  const close = async (): Promise<void> => {
    for (const stranger of strangers) stranger.destroy()
    await closeAll(server, callers)
  }
  return { port: (server.address() as AddressInfo).port, close }
}

async function admit(socket: Socket, token: string): Promise<boolean> {
  const line = await firstLine(socket)
  const request = parseRequest(line ?? "")
  if (isRefused(request) || request.method !== "auth") return false
  if (!v.is(ACCESS.auth.params, request.params) || !isSame(request.params.token, token)) return false
  socket.write(writeAnswer({ kind: "result", id: request.id, result: null }))
  return true
}

/** Leaves what follows the line in the paused socket. Undefined where no line of JSON has come, or not in time. */
function firstLine(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    let heard: Buffer = Buffer.alloc(0)
    const hear = (chunk: Buffer): void => {
      heard = Buffer.concat([heard, chunk])
      const end = heard.indexOf(LF)
      if (heard[0] !== OPENING_BRACE || (end === -1 ? heard.length : end) > AUTH_BYTES_MAX) settle(undefined)
      else if (end !== -1) {
        socket.pause()
        socket.unshift(heard.subarray(end + 1))
        settle(heard.subarray(0, end).toString("utf8"))
      }
    }
    const over = (): void => settle(undefined)
    const late = setTimeout(over, AUTH_MS)
    const settle = (line: string | undefined): void => {
      clearTimeout(late)
      socket.off("data", hear).off("end", over).off("close", over)
      resolve(line)
    }
    socket.on("error", () => socket.destroy())
    socket.on("data", hear).once("end", over).once("close", over)
  })
}

/** In the same time wherever they differ. */
function isSame(shown: string, token: string): boolean {
  const [a, b] = [shown, token].map((text) => createHash("sha256").update(text).digest())
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}
