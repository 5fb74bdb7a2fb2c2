import { existsSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { dirname } from "node:path"

import type { ChatClient, Command, Event, Params, Results } from "../engine/api.ts"
import { type Debug, NO_DEBUG } from "../debug/debug.ts"
import { Fault } from "../errors.ts"
import { requirePrivateFolder } from "../fs/private-folder.ts"
import { LineReader } from "./line-reader.ts"
import { requireSameVersion, type Peer } from "./peer-version.ts"
import { ANSWER_BYTES_MAX, faultOf, parseAnswer, REQUEST_BYTES_MAX, writeRequest } from "./rpc.ts"

/** No process is listening: no socket, or a stale one. */
const NOT_LISTENING = new Set(["ENOENT", "ECONNREFUSED", "ENOTSOCK"])

/**
 * Connects to the owner of the profile; undefined if none answers. Faults `config` if another user could have put the
 * socket there, `io` if it may not be used, `unavailable` if the owner is another version of this program.
 */
export async function connectOwner(
  socketPath: string,
  debug: Debug = NO_DEBUG,
): Promise<ChatClient | undefined> {
  return connectSameVersion(socketPath, "owner", debug)
}

/** A client of what `serveCommands` serves. */
export type RpcClient = {
  readonly request: (method: string, params: object) => Promise<unknown>
  readonly close: () => Promise<void>
}

/** As `connectOwner`, for another table of commands. */
export async function connectRpc(
  socketPath: string,
  peer: Peer,
  debug: Debug = NO_DEBUG,
): Promise<RpcClient | undefined> {
  return connectSameVersion(socketPath, peer, debug)
}

/** As `connectRpc`, without the version check: only to end a daemon, as every version knows `stop`. */
export async function connectAnyVersion(socketPath: string): Promise<RpcClient | undefined> {
  return connectSocket(socketPath)
}

async function connectSameVersion(
  socketPath: string,
  peer: Peer,
  debug: Debug,
): Promise<OwnerClient | undefined> {
  const client = await connectSocket(socketPath)
  debug("daemon", "connect", { found: client !== undefined })
  if (client === undefined) return undefined
  try {
    await requireSameVersion(client.request, peer)
    return client
  } catch (cause) {
    // An owner that ends before it has sent its version is like one that was not there.
    if (client.hasEnded) return undefined
    debug("daemon", "disagree", { code: cause instanceof Fault ? cause.code : "bug" })
    await client.close()
    throw cause
  }
}

async function connectSocket(socketPath: string): Promise<OwnerClient | undefined> {
  if (!existsSync(socketPath)) return undefined
  requirePrivateFolder(dirname(socketPath))
  const socket = connect(socketPath)
  return new Promise((resolve, reject) => {
    socket.once("connect", () => {
      socket.removeAllListeners("error")
      resolve(new OwnerClient(socket))
    })
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      if (NOT_LISTENING.has(cause.code ?? "")) resolve(undefined)
      else reject(new Fault("io", `cannot reach the owner of the profile: ${cause.code}`, undefined, cause))
    })
  })
}

type PendingRequest = { readonly resolve: (result: unknown) => void; readonly reject: (why: Fault) => void }

class OwnerClient implements ChatClient, RpcClient {
  readonly #socket: Socket
  readonly #pending = new Map<number, PendingRequest>()
  readonly #listeners = new Set<(event: Event) => void>()
  #requests = 0
  #isListening = false

  constructor(socket: Socket) {
    this.#socket = socket
    const reader = new LineReader(ANSWER_BYTES_MAX, (line) => this.#receive(line))
    socket.on("data", (chunk: Buffer) => reader.take(chunk))
    socket.on("error", () => socket.destroy())
    socket.once("close", () => this.#connectionEnded())
  }

  get hasEnded(): boolean {
    return this.#socket.destroyed
  }

  readonly call = async <C extends Command>(command: C, params: Params<C>): Promise<Results[C]> => {
    // The other end of the socket is this same program, run by this same user.
    return (await this.request(command, params)) as Results[C]
  }

  readonly listen = (onEvent: (event: Event) => void): (() => void) => {
    this.#listeners.add(onEvent)
    if (!this.#isListening) {
      this.#isListening = true
      // If the owner is gone, the next call says so.
      this.request("listen", {}).catch(() => undefined)
    }
    return () => this.#listeners.delete(onEvent)
  }

  readonly close = (): Promise<void> =>
    new Promise((resolve) => {
      if (this.#socket.closed) {
        resolve()
        return
      }
      this.#socket.once("close", () => resolve())
      this.#socket.end(() => this.#socket.destroy())
    })

  readonly request = (method: string, params: object): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (!this.#socket.writable) {
        reject(ownerEnded())
        return
      }
      const id = this.#requests++
      const line = writeRequest({ id, method, params })
      if (line.length > REQUEST_BYTES_MAX) {
        reject(new Fault("bad-data", "this is too long for one request", "send it in parts"))
        return
      }
      this.#pending.set(id, { resolve, reject })
      this.#socket.write(line)
    })

  #receive(line: string | undefined): void {
    const answer = line === undefined ? undefined : parseAnswer(line)
    if (answer === undefined) {
      this.#socket.destroy()
      return
    }
    if (answer.kind === "event") {
      for (const listener of this.#listeners) listener(answer.event as Event)
      return
    }
    const pending = this.#pending.get(Number(answer.id))
    this.#pending.delete(Number(answer.id))
    if (answer.kind === "result") pending?.resolve(answer.result)
    else pending?.reject(faultOf(answer.error))
  }

  #connectionEnded(): void {
    const why = ownerEnded()
    for (const { reject } of this.#pending.values()) reject(why)
    this.#pending.clear()
    const connection = { kind: "stopped", code: why.code, reason: why.message } as const
    for (const listener of this.#listeners) listener({ kind: "connection", connection })
  }
}

function ownerEnded(): Fault {
  return new Fault("unavailable", "the mqttchat that held this profile has ended", "try again")
}
