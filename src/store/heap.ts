import type { Pointer, SqliteModule } from "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs"
import { utf8 } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"

/** Bytes in the memory of SQLite, which may grow with any call: no view of it outlives a call. */
export class Heap {
  readonly #module: SqliteModule

  constructor(module: SqliteModule) {
    this.#module = module
  }

  /** The result of `use` for a copy of these bytes with a zero byte after it; the copy is then wiped and freed. */
  with<T>(bytes: Uint8Array, use: (pointer: Pointer) => T): T {
    const pointer = this.copied(bytes)
    try {
      return use(pointer)
    } finally {
      this.#module.HEAPU8.fill(0, pointer, pointer + bytes.length)
      this.#module._sqlite3_free(pointer)
    }
  }

  withText<T>(text: string, use: (pointer: Pointer) => T): T {
    return this.with(utf8(text), use)
  }

  /** SQLite's result code for a call that returns a pointer through one, and that pointer. */
  answered(call: (out: Pointer) => number): { readonly code: number; readonly pointer: Pointer } {
    return this.with(new Uint8Array(4), (out) => {
      const code = call(out)
      return { code, pointer: new DataView(this.#module.HEAPU8.buffer).getUint32(out, true) }
    })
  }

  /** A copy with a zero byte after it; the caller or SQLite frees it. */
  copied(bytes: Uint8Array): Pointer {
    const pointer = this.#module._sqlite3_malloc(bytes.length + 1)
    if (pointer === 0) throw new Fault("io", "the message store is out of memory")
    this.#module.HEAPU8.set(bytes, pointer)
    this.#module.HEAPU8[pointer + bytes.length] = 0
    return pointer
  }

  bytes(pointer: Pointer, length: number): Uint8Array {
    return this.#module.HEAPU8.slice(pointer, pointer + length)
  }

  text(pointer: Pointer, length: number): string {
    return Buffer.from(this.#module.HEAPU8.buffer, pointer, length).toString("utf8")
  }
}
