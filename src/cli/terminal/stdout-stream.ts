import { Writable } from "node:stream"
import type { Output } from "./output.ts"

/** stdout as a stream for a protocol. It fails if stdout does not take what is written. */
export function stdoutStream(out: Output): Writable {
  return new Writable({
    write: (chunk: Uint8Array, _encoding, done) => {
      out.bytes(chunk)
      void out.flushed().then((taken) => done(taken ? null : new Error("stdout took no more")))
    },
  })
}
