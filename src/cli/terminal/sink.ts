import { writeSync } from "node:fs"
import { Socket } from "node:net"

/** Why a stream took no more: its reader closed it, the disk is full, or the terminal is gone. */
export type Refusal = NodeJS.ErrnoException

/** The errors of a pipe, and of a socket with unread bytes, whose reader is gone. */
const READER_GONE: ReadonlySet<string | undefined> = new Set(["EPIPE", "ECONNRESET"])

/** stdout or stderr, which may be closed or full at any time. Writing to it never throws. */
export type Sink = {
  /** `onRefused` is called if not all of `chunk` was taken; later writes are then refused, too. */
  readonly write: (chunk: string | Uint8Array, onRefused?: (refusal: Refusal) => void) => void
  /** Resolves when everything written so far was taken or refused, with whether all of it was taken. */
  readonly settled: () => Promise<boolean>
}

export function openSink(stream: NodeJS.WritableStream & { readonly fd: number }): Sink {
  let refusal: Refusal | undefined
  let last: Promise<void> = Promise.resolve()
  const refuse = (cause: Refusal): Refusal => (refusal ??= cause)
  // the line editor and prompts write to it as well
  stream.on("error", refuse)
  const write: Sink["write"] = (chunk, onRefused = () => undefined) => {
    if (refusal !== undefined) {
      onRefused(refusal)
      return
    }
    const isRefused = (cause: Refusal): void => onRefused(refuse(cause))
    if (stream instanceof Socket) last = writeToSocket(stream, chunk, isRefused)
    else writeToFile(stream.fd, chunk, isRefused)
  }
  return {
    write,
    settled: async () => {
      await last
      return refusal === undefined
    },
  }
}

export function isReaderGone({ code }: Refusal): boolean {
  return READER_GONE.has(code)
}

/** Terminals, pipes and sockets. A pipe takes what fits into it, and the rest when its reader has made room. */
function writeToSocket(
  stream: Socket,
  chunk: string | Uint8Array,
  onRefused: (refusal: Refusal) => void,
): Promise<void> {
  return new Promise((resolve) => {
    stream.write(chunk, (cause) => {
      if (cause) onRefused(cause)
      resolve()
    })
  })
}

/** Node's own stream for a file throws in some versions, and in all takes a partial write for a complete one. */
function writeToFile(fd: number, chunk: string | Uint8Array, onRefused: (refusal: Refusal) => void): void {
  const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause
    onRefused(cause)
  }
}
