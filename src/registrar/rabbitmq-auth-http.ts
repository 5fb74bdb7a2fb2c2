import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Fault } from "../errors.ts"
import { LOOPBACK } from "../wire/address.ts"
import { type KnownDevices, allows, AUTH_PATHS, type AuthPath } from "./rabbitmq-acl.ts"

/** The longest question names a user, a queue and a topic of ours; MQTT allows 64 KiB for each. */
const BODY_BYTES_MAX = 4096
const REQUEST_TIMEOUT_MS = 5_000

export type RabbitAuthServer = { readonly port: number; readonly close: () => Promise<void> }

/**
 * Answers the questions of `rabbitmq_auth_backend_http` on loopback. Port 0 takes a free one. Fault `unavailable` if
 * the port is taken.
 */
export async function startRabbitAuthServer(port: number, known: KnownDevices): Promise<RabbitAuthServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void readBody(request).then((body) => answer(response, pathOf(request), body, known))
  })
  server.listen(port, LOOPBACK)
  try {
    await once(server, "listening")
  } catch (cause) {
    throw new Fault("unavailable", `cannot listen on ${LOOPBACK} port ${port}`, "choose another port", cause)
  }
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise<void>((done) => server.close(() => done()))
      server.closeAllConnections()
      await closed
    },
  }
}

/** The body, or undefined for one that is too long or was cut off. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let length = 0
  try {
    for await (const part of request) {
      const bytes = Buffer.from(part as Uint8Array)
      length += bytes.length
      if (length > BODY_BYTES_MAX) return undefined
      parts.push(bytes)
    }
  } catch {
    return undefined
  }
  return Buffer.concat(parts).toString("utf8")
}

function pathOf({ method, url }: IncomingMessage): AuthPath | undefined {
  return method === "POST" ? AUTH_PATHS.find((path) => url === `/${path}`) : undefined
}

function answer(
  response: ServerResponse,
  path: AuthPath | undefined,
  body: string | undefined,
  known: KnownDevices,
): void {
  if (path === undefined || body === undefined) {
    response.writeHead(400).end()
    return
  }
  const allowed = allows(path, new URLSearchParams(body), known)
  response.writeHead(200, { "content-type": "text/plain" }).end(allowed ? "allow" : "deny")
}
