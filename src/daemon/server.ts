import { chmod, rm } from "node:fs/promises"
import { createServer, type Server, type Socket } from "node:net"
import { dirname } from "node:path"
import * as v from "valibot"

import { COMMANDS, type ChatClient, type Command } from "../chat/api.ts"
import { diskFault, Fault } from "../errors.ts"
import { makePrivateFolder } from "../private-folder.ts"
import { LineReader } from "./lines.ts"
import {
  ANSWER_BYTES_MAX,
  errorOf,
  parseRequest,
  REQUEST_BYTES_MAX,
  RPC_ERROR,
  writeAnswer,
  type Answer,
  type Request,
  type RpcError,
} from "./rpc.ts"

/** A caller with more questions open than this gets no further ones read. */
const PENDING_MAX = 64
/** A listener that reads nothing is cut off before it costs more memory than this. */
const UNREAD_BYTES_MAX = 8 * 1024 * 1024
/** Calls under way may end when the owner ends; one that waits for a peer is cut off. */
const DRAIN_MS = 2_000

export type OwnerSocket = { readonly close: () => Promise<void> }

/** What is asked over a socket: each method with the schema of its parameters. */
export type Service = {
  readonly commands: Readonly<Record<string, { readonly params: v.GenericSchema<unknown, object> }>>
  readonly call: (method: string, params: object) => Promise<unknown>
  readonly listen: (onEvent: (event: unknown) => void) => () => void
}

/** Lets other processes of this user ask the owner of a profile. As `serveCommands`. */
export function serve(client: ChatClient, socketPath: string): Promise<OwnerSocket> {
  const call: Service["call"] = (method, params) => client.call(method as Command, params)
  return serveCommands({ commands: COMMANDS, call, listen: client.listen }, socketPath)
}

/**
 * Lets other processes of this user ask this one: JSON-RPC 2.0, one object a line, on a Unix socket of
 * mode 0600. The caller holds the lock that goes with it, so a socket that is there already is a dead owner's. `close`
 * answers what was asked and hears no more. Makes the socket's folder if there is none. Faults `io`, and `config` when
 * others may enter the folder: until it is 0600, only the folder keeps them from the socket.
 */
export async function serveCommands(service: Service, socketPath: string): Promise<OwnerSocket> {
  makePrivateFolder(dirname(socketPath))
  const callers = new Set<Caller>()
  const server = createServer((socket) => {
    const caller = new Caller(service, socket)
    callers.add(caller)
    socket.once("close", () => callers.delete(caller))
  })
  try {
    await rm(socketPath, { force: true })
    await listen(server, socketPath)
    await chmod(socketPath, 0o600)
  } catch (cause) {
    server.close()
    throw diskFault(cause, `listen at ${socketPath}`)
  }
  return {
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      await Promise.all([...callers].map((caller) => caller.finish()))
      await closed
    },
  }
}

function listen(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(socketPath, () => {
      server.off("error", reject)
      resolve()
    })
  })
}

/** One connection. */
class Caller {
  readonly #service: Service
  readonly #socket: Socket
  readonly #pending = new Set<Promise<void>>()
  #stopListening: (() => void) | undefined
  #finishing = false

  constructor(service: Service, socket: Socket) {
    this.#service = service
    this.#socket = socket
    const reader = new LineReader(REQUEST_BYTES_MAX, (line) => this.#hear(line))
    socket.on("data", (chunk: Buffer) => reader.take(chunk))
    // A caller that goes away in the middle is no concern of the owner.
    socket.on("error", () => socket.destroy())
    socket.once("close", () => this.#stopListening?.())
  }

  async finish(): Promise<void> {
    this.#finishing = true
    this.#socket.pause()
    this.#stopListening?.()
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, DRAIN_MS)))
    await Promise.race([Promise.all(this.#pending), patience])
    clearTimeout(timer)
    this.#socket.end(() => this.#socket.destroy())
  }

  #hear(line: string | undefined): void {
    if (this.#finishing) return
    const request = line === undefined ? TOO_LONG : parseRequest(line)
    if ("code" in request) {
      this.#say({ kind: "error", id: null, error: request })
      if (line === undefined) this.#socket.end()
      return
    }
    const done = this.#answer(request).then((answer) => {
      this.#pending.delete(done)
      this.#say(answer)
      if (this.#pending.size < PENDING_MAX && !this.#finishing) this.#socket.resume()
    })
    this.#pending.add(done)
    if (this.#pending.size >= PENDING_MAX) this.#socket.pause()
  }

  /** One bad request must not take the owner with it: whatever goes wrong becomes the answer. */
  async #answer({ id, method, params }: Request): Promise<Answer> {
    try {
      if (method === "listen") {
        this.#stopListening ??= this.#service.listen((event) => this.#say({ kind: "event", event }))
        return { kind: "result", id, result: null }
      }
      const schema = this.#schemaOf(method)
      if (schema === undefined) return { kind: "error", id, error: unknown(method) }
      const parsed = v.safeParse(schema, params)
      if (!parsed.success) return { kind: "error", id, error: unfit(parsed.issues[0].message) }
      return { kind: "result", id, result: await this.#service.call(method, parsed.output) }
    } catch (cause) {
      const fault =
        cause instanceof Fault
          ? cause
          : new Fault("bug", "the process that was asked failed", undefined, cause)
      return { kind: "error", id, error: errorOf(fault) }
    }
  }

  #schemaOf(method: string): Service["commands"][string]["params"] | undefined {
    const { commands } = this.#service
    return Object.hasOwn(commands, method) ? commands[method]?.params : undefined
  }

  #say(answer: Answer): void {
    const line = writeAnswer(answer)
    if (line.length > ANSWER_BYTES_MAX && answer.kind === "result") {
      this.#say({ kind: "error", id: answer.id, error: errorOf(TOO_MUCH) })
    } else if (answer.kind === "event" && this.#socket.writableLength > UNREAD_BYTES_MAX) {
      this.#socket.destroy()
    } else if (this.#socket.writable) {
      this.#socket.write(line)
    }
  }
}

const TOO_LONG: RpcError = { code: RPC_ERROR.request, message: "a request has at most 512 KiB" }
const TOO_MUCH = new Fault("usage", "the answer is too long for one line", "ask for fewer messages")

function unknown(method: string): RpcError {
  return { code: RPC_ERROR.method, message: `there is no method ${JSON.stringify(method).slice(0, 80)}` }
}

function unfit(why: string): RpcError {
  return { code: RPC_ERROR.params, message: why, data: { code: "usage" } }
}
