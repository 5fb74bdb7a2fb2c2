import { existsSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { dirname } from "node:path"

import type { ChatClient, Command, Event, Params, Results } from "../engine/api.ts"
import { type Debug, NO_DEBUG } from "../debug/debug.ts"
import { Fault } from "../errors.ts"
import { requirePrivateFolder } from "../fs/private-folder.ts"
import { LineReader } from "./line-reader.ts"
import { requireSameVersion, type Peer } from "./peer-version.ts"
import {
  ANSWER_BYTES_MAX,
  faultOf,
  parseAnswer,
  REQUEST_BYTES_MAX,
  VERSION_METHOD,
  writeRequest,
} from "./rpc.ts"
import { ANSWER_WAIT_MS, SilenceWatch } from "./silence-watch.ts"
import { withOutcome } from "./unknown-outcome.ts"

/** No process is listening: no socket, or a stale one. */
const NOT_LISTENING = new Set(["ENOENT", "ECONNREFUSED", "ENOTSOCK"])
/** As many wait to be accepted as the system allows: the process has accepted none for long. */
const NOT_ACCEPTED = "EAGAIN"
/** How long the last bytes may take on their way out. */
const CLOSE_MS = 1_000
/** The id of a ping, whose answer no one waits for. */
const PING_ID = "ping"

export type ConnectOptions = {
  readonly debug?: Debug
  /** The fault of a peer that is there and does not answer. */
  readonly silence?: () => Fault
  /** How long it may be silent. */
  readonly answerMs?: number
}

/**
 * Connects to the owner of the profile; undefined if there is none. Faults `config` if another user could have put the
 * socket there, `io` if it may not be used, `unavailable` if the owner is another version of this program or does not
 * answer. The same fault ends each later call that an owner leaves unanswered.
 */
export async function connectOwner(
  socketPath: string,
  options: ConnectOptions = {},
): Promise<ChatClient | undefined> {
  return connectSameVersion(socketPath, "owner", options)
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
  options: ConnectOptions = {},
): Promise<RpcClient | undefined> {
  return connectSameVersion(socketPath, peer, options)
}

/** As `connectRpc`, without the version check: only to end a daemon, as every version knows `stop`. */
export async function connectAnyVersion(
  socketPath: string,
  options: ConnectOptions = {},
): Promise<RpcClient | undefined> {
  return connectSocket(socketPath, options)
}

async function connectSameVersion(
  socketPath: string,
  peer: Peer,
  options: ConnectOptions,
): Promise<OwnerClient | undefined> {
  const { debug = NO_DEBUG } = options
  const client = await connectSocket(socketPath, options)
  debug("daemon", "connect", { found: client !== undefined })
  if (client === undefined) return undefined
  try {
    await requireSameVersion(client.request, peer)
    return client
  } catch (cause) {
    // An owner that ends before it has sent its version is like one that was not there.
    if (client.hasEnded && !client.wasSilent) return undefined
    debug("daemon", "disagree", { code: cause instanceof Fault ? cause.code : "bug" })
    await client.close()
    throw cause
  }
}

async function connectSocket(socketPath: string, options: ConnectOptions): Promise<OwnerClient | undefined> {
  if (!existsSync(socketPath)) return undefined
  requirePrivateFolder(dirname(socketPath))
  const socket = connect(socketPath)
  return new Promise((resolve, reject) => {
    socket.once("connect", () => {
      socket.removeAllListeners("error")
      resolve(new OwnerClient(socket, options))
    })
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      if (NOT_LISTENING.has(cause.code ?? "")) resolve(undefined)
      else if (cause.code === NOT_ACCEPTED) reject((options.silence ?? silentPeer)())
      else reject(new Fault("io", `cannot reach the owner of the profile: ${cause.code}`, undefined, cause))
    })
  })
}

type PendingRequest = {
  readonly method: string
  readonly resolve: (result: unknown) => void
  readonly reject: (why: Fault) => void
}

class OwnerClient implements ChatClient, RpcClient {
  readonly #socket: Socket
  readonly #silence: () => Fault
  readonly #watch: SilenceWatch
  readonly #pending = new Map<number, PendingRequest>()
  readonly #listeners = new Set<(event: Event) => void>()
  #requests = 0
  #isListening = false
  #wasSilent = false
  #isOver = false

  constructor(socket: Socket, { silence = silentPeer, answerMs = ANSWER_WAIT_MS }: ConnectOptions) {
    this.#socket = socket
    this.#silence = silence
    this.#watch = new SilenceWatch({
      answerMs,
      ping: () => socket.write(writeRequest({ id: PING_ID, method: VERSION_METHOD, params: {} })),
      onSilence: () => this.#isSilent(),
    })
    const reader = new LineReader(ANSWER_BYTES_MAX, (line) => this.#receive(line))
    socket.on("data", (chunk: Buffer) => {
      this.#watch.onBytes()
      reader.take(chunk)
    })
    socket.on("error", () => socket.destroy())
    socket.once("close", () => this.#connectionEnded(ownerEnded()))
  }

  get hasEnded(): boolean {
    return this.#socket.destroyed
  }

  get wasSilent(): boolean {
    return this.#wasSilent
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
      this.#watch.stop()
      if (this.#socket.closed) {
        resolve()
        return
      }
      this.#socket.once("close", () => resolve())
      // Bytes that the peer does not take would keep the socket open.
      if (this.#socket.writableLength > 0) setTimeout(() => this.#socket.destroy(), CLOSE_MS).unref()
      this.#socket.end(() => this.#socket.destroy())
    })

  readonly request = (method: string, params: object): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (!this.#socket.writable) {
        const refuse = (): void => reject(new Fault("unavailable", ownerEnded().message, "try again"))
        // Listeners hear first that the owner has ended.
        if (this.#isOver) refuse()
        else this.#socket.once("close", refuse)
        return
      }
      const id = this.#requests++
      const line = writeRequest({ id, method, params })
      if (line.length > REQUEST_BYTES_MAX) {
        reject(new Fault("bad-data", "this is too long for one request", "send it in parts"))
        return
      }
      this.#pending.set(id, { method, resolve, reject })
      this.#watch.start()
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
    if (this.#pending.size === 0 && !this.#isListening) this.#watch.stop()
    if (answer.kind === "result") pending?.resolve(answer.result)
    else pending?.reject(faultOf(answer.error))
  }

  #isSilent(): void {
    this.#wasSilent = true
    this.#socket.destroy()
    this.#connectionEnded(this.#silence())
  }

  #connectionEnded(why: Fault): void {
    this.#watch.stop()
    if (this.#isOver) return
    this.#isOver = true
    for (const { method, reject } of this.#pending.values()) reject(withOutcome(why, method))
    this.#pending.clear()
    const code = this.#wasSilent ? "unanswered" : why.code
    const connection = { kind: "stopped", code, reason: why.message } as const
    for (const listener of this.#listeners) listener({ kind: "connection", connection })
  }
}

function silentPeer(): Fault {
  return new Fault("unavailable", "the other mqttchat does not answer")
}

function ownerEnded(): Fault {
  return new Fault("unavailable", "the mqttchat that held this profile has ended")
}
