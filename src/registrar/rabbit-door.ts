import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Fault } from "../errors.ts"
import { type Admitted, allows, QUESTIONS, type Question } from "./rabbit-rules.ts"

/** The longest question names a user, a queue and a topic of ours; MQTT allows 64 KiB for each. */
const QUESTION_BYTES_MAX = 4096
const ASKING_MS = 5_000

export type RabbitDoor = { readonly port: number; readonly close: () => Promise<void> }

/**
 * Answers the questions of `rabbitmq_auth_backend_http` on loopback. Port 0 takes a free one. Fault `unavailable` if
 * the port is taken.
 */
export async function openRabbitDoor(port: number, admitted: Admitted): Promise<RabbitDoor> {
  const server = createServer({ requestTimeout: ASKING_MS }, (request, response) => {
    void read(request).then((body) => answer(response, pathOf(request), body, admitted))
  })
  server.listen(port, "127.0.0.1")
  try {
    await once(server, "listening")
  } catch (cause) {
    throw new Fault("unavailable", `cannot listen on 127.0.0.1 port ${port}`, "choose another port", cause)
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
async function read(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let length = 0
  try {
    for await (const part of request) {
      const bytes = Buffer.from(part as Uint8Array)
      length += bytes.length
      if (length > QUESTION_BYTES_MAX) return undefined
      parts.push(bytes)
    }
  } catch {
    return undefined
  }
  return Buffer.concat(parts).toString("utf8")
}

function pathOf({ method, url }: IncomingMessage): Question | undefined {
  return method === "POST" ? QUESTIONS.find((question) => url === `/${question}`) : undefined
}

function answer(
  response: ServerResponse,
  question: Question | undefined,
  body: string | undefined,
  admitted: Admitted,
): void {
  if (question === undefined || body === undefined) {
    response.writeHead(400).end()
    return
  }
  const allowed = allows(question, new URLSearchParams(body), admitted)
  response.writeHead(200, { "content-type": "text/plain" }).end(allowed ? "allow" : "deny")
}
