import { spawn } from "node:child_process"
import { deferred } from "../../async/deferred.ts"
import { Fault } from "../../errors.ts"
import { MINUTE_MS } from "../../time-units.ts"
import type { Context } from "./context.ts"

/** A password manager may ask a person first. */
const LIMIT_MS = 5 * MINUTE_MS
/** The first line is the passphrase; password managers print notes after it. */
const OUTPUT_BYTES_MAX = 65_536
const LF = 0x0a

const HINT = "run the command by itself: the first line that it prints has to be the passphrase"

/**
 * What the user's shell command prints first. It reads nothing of our stdin, which may be a message; its stderr is ours, and
 * it may ask at the terminal. Faults `unavailable`; none repeats the command, which the user may have put a secret into.
 */
export async function firstLineOf({ lifetime }: Context, command: string): Promise<Uint8Array> {
  const child = spawn(command, { shell: true, stdio: ["ignore", "pipe", "inherit"] })
  const ended = deferred<Uint8Array>()
  const chunks: Uint8Array[] = []
  let length = 0
  const fail = (why: string): void =>
    ended.reject(new Fault("unavailable", `the passphrase command ${why}`, HINT))
  const limit = setTimeout(() => fail("has not ended in five minutes"), LIMIT_MS)
  child.stdout.on("data", (chunk: Buffer) => {
    length += chunk.length
    if (length > OUTPUT_BYTES_MAX) fail(`prints more than ${OUTPUT_BYTES_MAX} bytes`)
    else chunks.push(chunk)
  })
  child.on("error", (cause) => fail(`cannot be run: ${cause.message}`))
  child.on("close", (code, signal) => {
    if (code !== 0) fail(signal === null ? `ended with ${code}` : `was ended by ${signal}`)
    else ended.resolve(lineOf(Buffer.concat(chunks)))
  })
  lifetime.defer(() => void child.kill())
  try {
    const line = await ended.promise
    if (line.length === 0) throw new Fault("unavailable", "the passphrase command printed nothing", HINT)
    return line
  } finally {
    clearTimeout(limit)
    child.kill()
    child.stdout.destroy()
  }
}

function lineOf(output: Buffer): Buffer {
  const end = output.indexOf(LF)
  const line = end === -1 ? output : output.subarray(0, end)
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line
}
