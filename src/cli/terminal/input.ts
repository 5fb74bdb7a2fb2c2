import { closeSync, openSync, readSync } from "node:fs"
import { isatty } from "node:tty"
import { codeOf, Fault } from "../../errors.ts"
import { readText, type Text } from "../../wire/text.ts"

const CHUNK_BYTES = 65_536
const LF = 0x0a
const STDIN = 0
/** No message is longer. */
const LINE_BYTES_MAX = 65_536
/** MQTT allows no longer password. */
export const PASSWORD_BYTES_MAX = 65_536

/** All of stdin, at most `max` bytes. Faults `bad-data`, and `io` for a terminal that was closed before the end. */
export async function readStdin(max: number): Promise<Uint8Array> {
  const isTerminal = isatty(STDIN)
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > max) throw tooLong("stdin", max)
    chunks.push(chunk)
  }
  // What was typed until then is half of something.
  if (isTerminal && !isatty(STDIN)) throw new Fault("io", "the terminal was closed while it was read")
  return Buffer.concat(chunks)
}

/** stdin as text of at most `max` bytes. Faults `bad-data`. */
export async function readStdinText(max: number): Promise<Text> {
  const text = readText(await readStdin(max))
  if (text === undefined) throw notText("stdin")
  return text
}

/** The lines of stdin as they come, each within the limit of one message. Faults `bad-data`. */
export async function* readStdinLines(): AsyncGenerator<Text> {
  let rest: Uint8Array = new Uint8Array()
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    rest = Buffer.concat([rest, chunk])
    for (let end = rest.indexOf(LF); end !== -1; end = rest.indexOf(LF)) {
      yield lineText(rest.subarray(0, end))
      rest = rest.subarray(end + 1)
    }
    if (rest.length > LINE_BYTES_MAX) throw tooLong("a line of stdin", LINE_BYTES_MAX)
  }
  if (rest.length > 0) yield lineText(rest)
}

function lineText(bytes: Uint8Array): Text {
  const text = readText(bytes)
  if (text === undefined) throw notText("stdin")
  return text
}

/** A small file, at most `max` bytes. Faults `not-found` and `bad-data`. */
export function readSmallFile(path: string, max: number): Uint8Array {
  const fd = open(path)
  try {
    return readFd(fd, path, max)
  } finally {
    closeSync(fd)
  }
}

export function readSmallText(path: string, max: number): Text {
  const text = readText(readSmallFile(path, max))
  if (text === undefined) throw notText(path)
  return text
}

/** The first line of the file, without its end. */
export function passwordFrom(path: string): string {
  return readSmallText(path, PASSWORD_BYTES_MAX).split(/\r?\n/, 1)[0] ?? ""
}

/** All of an open descriptor, at most `max` bytes. Faults `not-found` and `bad-data`. */
export function readFd(fd: number, name: string, max: number): Uint8Array {
  const chunks: Uint8Array[] = []
  for (let length = 0; ;) {
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, max + 1 - length))
    const got = readChunk(fd, name, chunk)
    if (got === 0) return Buffer.concat(chunks)
    chunks.push(chunk.subarray(0, got))
    length += got
    if (length > max) throw tooLong(name, max)
  }
}

function open(path: string): number {
  try {
    return openSync(path, "r")
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function readChunk(fd: number, name: string, chunk: Uint8Array): number {
  try {
    return readSync(fd, chunk)
  } catch (cause) {
    throw unreadable(name, cause)
  }
}

/** Fault `not-found`. */
export function unreadable(name: string, cause: unknown): Fault {
  const why = codeOf(cause) ?? "unknown error"
  return new Fault("not-found", `cannot read ${name} (${why})`, undefined, cause)
}

function tooLong(name: string, max: number): Fault {
  return new Fault("bad-data", `${name} holds more than ${max} bytes`)
}

function notText(name: string): Fault {
  return new Fault("bad-data", `${name} is not text in UTF-8`, "iconv -t UTF-8")
}
