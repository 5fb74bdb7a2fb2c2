import { Writable } from "node:stream"
import type { Output } from "./output.ts"

/** stdout for a protocol that is spoken over it. It ends with an error when what it is given is not taken. */
export function stdoutStream(out: Output): Writable {
  return new Writable({
    write: (chunk: Uint8Array, _encoding, done) => {
      out.bytes(chunk)
      void out.flushed().then((taken) => done(taken ? null : new Error("stdout took no more")))
    },
  })
}
