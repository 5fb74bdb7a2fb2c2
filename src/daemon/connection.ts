import type { Duplex } from "node:stream"
import * as v from "valibot"

import { Fault } from "../errors.ts"
import { replayEvents, type EventPage, type EventSource } from "./event-replay.ts"
import { VERSION } from "../version.ts"
import { LineReader } from "./line-reader.ts"
import {
  ANSWER_BYTES_MAX,
  errorOf,
  isInvalid,
  parseRequest,
  REQUEST_BYTES_MAX,
  RPC_ERROR,
  VERSION_METHOD,
  writeAnswer,
  type Answer,
  type InvalidRequest,
  type Request,
  type RpcError,
} from "./rpc.ts"

/** With more open requests than this, no more are read from a client. */
const PENDING_MAX = 64
/** The same for this many bytes of unread answers: large answers wait for each other. */
const UNREAD_ANSWERS_MAX = 1024 * 1024
/** A listener that has more than this unread, and reads nothing of it in a time, is disconnected. */
const UNREAD_BYTES_MAX = 8 * 1024 * 1024
const READ_WITHIN_MS = 2_000
/** However it reads, no listener costs more memory than this. */
const UNREAD_BYTES_LIMIT = 64 * 1024 * 1024
/** Events of the log in memory at once for one connection. */
const REPLAY_PAGE = 50
/** When the owner ends, calls may still finish within this time; one that waits for a peer is cut off. */
const DRAIN_MS = 2_000

/** An error quotes what it rejects, which may be long. */
const ERROR_TEXT_MAX = 200

/** Each method with the schema of its parameters. */
export type Service = {
  readonly commands: Readonly<Record<string, { readonly params: v.GenericSchema<unknown, object> }>>
  readonly call: (method: string, params: object) => Promise<unknown>
  readonly listen: (onEvent: (event: unknown) => void) => () => void
}

/**
 * One connection. A peer that ends its side still gets the answers to its earlier requests, and no more. A stream that is given here
 * keeps its other side open by itself (`allowHalfOpen`).
 */
export class RpcConnection {
  /** Resolves when the connection is over. */
  readonly closed: Promise<void>
  readonly #service: Service
  readonly #stream: Duplex
  readonly #pending = new Set<Promise<void>>()
  /** At most those of one chunk: no further chunk is read while a line waits. */
  readonly #lines: (string | undefined)[] = []
  /** Bytes, as the stream counts them. */
  #written = 0
  #isExpected = false
  #stopListening: (() => void) | undefined
  #finishing = false

  /** `onLine` is called for each line that has ended. */
  constructor(service: Service, stream: Duplex, onLine: () => void = () => undefined) {
    this.#service = service
    this.#stream = stream
    const reader = new LineReader(REQUEST_BYTES_MAX, (line) => {
      onLine()
      this.#lines.push(line)
    })
    stream.on("data", (chunk: Buffer) => {
      reader.take(chunk)
      this.#processWaiting()
    })
    stream.on("drain", () => this.#processWaiting())
    stream.once("end", () => void this.#inputEnded())
    // A client that disconnects early does not affect the owner.
    stream.on("error", () => stream.destroy())
    this.closed = new Promise((resolve) => {
      stream.once("close", () => {
        this.#stopListening?.()
        resolve()
      })
    })
    stream.resume()
  }

  /** Answers pending requests, for at most 2 s, and reads no more. */
  async finish(): Promise<void> {
    this.#finishing = true
    this.#lines.length = 0
    this.#stream.pause()
    this.#stopListening?.()
    // also for a client that does not read its answers
    const cutOff = setTimeout(() => this.#stream.destroy(), DRAIN_MS)
    void this.closed.then(() => clearTimeout(cutOff))
    await Promise.race([Promise.all(this.#pending), this.closed])
    this.#stream.end(() => this.#stream.destroy())
  }

  #processWaiting(): void {
    while (this.#lines.length > 0 && this.#hasRoom()) this.#receive(this.#lines.shift())
    if (this.#finishing) return
    if (this.#lines.length > 0 || !this.#hasRoom()) this.#stream.pause()
    else this.#stream.resume()
  }

  #hasRoom(): boolean {
    return this.#pending.size < PENDING_MAX && this.#stream.writableLength < UNREAD_ANSWERS_MAX
  }

  async #inputEnded(): Promise<void> {
    this.#stopListening?.()
    while (this.#pending.size > 0) await Promise.all(this.#pending)
    this.#stream.end()
  }

  #receive(line: string | undefined): void {
    const request = line === undefined ? TOO_LONG : parseRequest(line)
    if (isInvalid(request)) {
      this.#send({ kind: "error", ...request })
      if (line === undefined) this.#stream.end(() => this.#stream.destroy())
      return
    }
    const done = this.#answer(request).then((answer) => {
      this.#pending.delete(done)
      this.#send(answer)
      this.#processWaiting()
    })
    this.#pending.add(done)
  }

  /** One bad request must not end the owner: its error becomes the answer. */
  async #answer({ id, method, params }: Request): Promise<Answer> {
    try {
      if (method === VERSION_METHOD) return { kind: "result", id, result: { version: VERSION } }
      const schema = this.#schemaOf(method)
      if (schema === undefined) return { kind: "error", id, error: unknownMethod(method) }
      const parsed = v.safeParse(schema, params, { abortEarly: true })
      if (!parsed.success) return { kind: "error", id, error: invalidParams(parsed.issues[0]) }
      const result =
        method === "listen"
          ? await this.#listen(parsed.output)
          : await this.#service.call(method, parsed.output)
      return { kind: "result", id, result }
    } catch (cause) {
      const fault =
        cause instanceof Fault
          ? cause
          : new Fault("bug", "the process that was asked failed", undefined, cause)
      return { kind: "error", id, error: errorOf(fault) }
    }
  }

  async #listen({ since }: { readonly since?: number }): Promise<null> {
    if (this.#stopListening !== undefined) {
      if (since === undefined) return null
      throw new Fault("usage", "this connection listens already", "listen once, or on another connection")
    }
    const give = (event: unknown): void => this.#send({ kind: "event", event })
    if (since === undefined) {
      this.#stopListening = this.#service.listen(give)
      return null
    }
    const { stop, caughtUp } = replayEvents(this.#eventSource(), since, async (event) => {
      give(event)
      await this.#untilRead()
    })
    this.#stopListening = stop
    await caughtUp.catch((fault: unknown) => {
      this.#stopListening = undefined
      throw fault
    })
    return null
  }

  #eventSource(): EventSource {
    const { call, listen } = this.#service
    // The table of the service says that these are pages of events.
    const read = async (since: number) => (await call("events", { since, limit: REPLAY_PAGE })) as EventPage
    return { read, listen }
  }

  /** A replay waits for a slow reader; live events do not. */
  async #untilRead(): Promise<void> {
    while (this.#stream.writable && this.#stream.writableLength >= UNREAD_ANSWERS_MAX)
      await Promise.race([new Promise((resolve) => this.#stream.once("drain", resolve)), this.closed])
  }

  #schemaOf(method: string): Service["commands"][string]["params"] | undefined {
    const { commands } = this.#service
    return Object.hasOwn(commands, method) ? commands[method]?.params : undefined
  }

  #send(answer: Answer): void {
    const line = writeAnswer(answer)
    if (line.length > ANSWER_BYTES_MAX && answer.kind === "result") {
      this.#send({ kind: "error", id: answer.id, error: errorOf(TOO_MUCH) })
    } else if (answer.kind === "event" && this.#stream.writableLength > UNREAD_BYTES_LIMIT) {
      this.#stream.destroy()
    } else if (this.#stream.writable) {
      this.#stream.write(line)
      this.#written += Buffer.byteLength(line)
      if (answer.kind === "event" && this.#stream.writableLength > UNREAD_BYTES_MAX) this.#expectReading()
    }
  }

  /** Events come faster than any listener reads, in one turn; so what counts is whether it reads anything at all. */
  #expectReading(): void {
    if (this.#isExpected) return
    this.#isExpected = true
    const readBefore = this.#written - this.#stream.writableLength
    const timer = setTimeout(() => {
      this.#isExpected = false
      if (this.#stream.writableLength <= UNREAD_BYTES_MAX) return
      if (this.#written - this.#stream.writableLength <= readBefore) this.#stream.destroy()
      else this.#expectReading()
    }, READ_WITHIN_MS)
    void this.closed.then(() => clearTimeout(timer))
  }
}

const TOO_LONG: InvalidRequest = {
  id: null,
  error: { code: RPC_ERROR.request, message: "a request has at most 512 KiB" },
}
const TOO_MUCH = new Fault("usage", "the answer is too long for one line", "ask for fewer messages")

function unknownMethod(method: string): RpcError {
  return {
    code: RPC_ERROR.method,
    message: `there is no method ${JSON.stringify(method)}`.slice(0, ERROR_TEXT_MAX),
  }
}

function invalidParams(issue: v.BaseIssue<unknown>): RpcError {
  const where = v.getDotPath(issue) ?? "params"
  const message = `${where}: ${issue.message}`.slice(0, ERROR_TEXT_MAX)
  return { code: RPC_ERROR.params, message, data: { code: "usage" } }
}
