import type { Pointer, SqliteModule } from "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs"
import { utf8, wipe } from "../crypto/bytes.ts"
import { diskFault, Fault } from "../errors.ts"
import type { FileSystem } from "./files.ts"
import { loadSqlite } from "./sqlite.ts"
import { DATABASE_NAME, Vfs } from "./vfs.ts"

const OK = 0
const NOMEM = 7
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const NOTADB = 26
const ROW = 100
const DONE = 101

const OPEN_READWRITE_CREATE = 0x2 | 0x4
const TYPE_NULL = 5

/** Raw key of the page cipher, ChaCha20-Poly1305. */
const KEY_BYTES = 32
const HEX_DIGITS = "0123456789abcdef"

export type Value = number | string | Uint8Array | null

/** The columns of the row at hand, by place. Readable only while the row is being read. */
export type Row = {
  readonly number: (column: number) => number
  readonly text: (column: number) => string
  readonly bytes: (column: number) => Uint8Array
  readonly isNull: (column: number) => boolean
  /** One of the words that the column may hold. */
  readonly oneOf: <Word extends string>(column: number, words: readonly Word[]) => Word
}

/**
 * One encrypted SQLite file and its only connection. Every call runs to its end: nothing comes between the statements
 * of a transaction. Faults `disk-full`, `io`, `damaged-database`; `bug` for what SQLite refuses otherwise.
 */
export class Database {
  readonly #path: string
  readonly #module: SqliteModule
  readonly #vfs: Vfs
  readonly #row: Row
  readonly #statements = new Map<string, Pointer>()
  #db: Pointer = 0
  #statement: Pointer = 0

  private constructor(path: string, module: SqliteModule, vfs: Vfs) {
    this.#path = path
    this.#module = module
    this.#vfs = vfs
    this.#row = {
      number: (column) => module._sqlite3_column_double(this.#statement, column),
      text: (column) => this.#textAt(column),
      bytes: (column) =>
        new Uint8Array(this.#bytesAt(module._sqlite3_column_blob(this.#statement, column), column)),
      isNull: (column) => module._sqlite3_column_type(this.#statement, column) === TYPE_NULL,
      oneOf: (column, words) => {
        const text = this.#textAt(column)
        const found = words.find((word) => word === text)
        if (found === undefined) throw damaged(path)
        return found
      },
    }
  }

  /** Opens or makes the file. `key` has 32 bytes. A wrong key, or a file that is none of ours: Fault `damaged-database`. */
  static async open(path: string, key: Uint8Array, files: FileSystem): Promise<Database> {
    const module = await loadSqlite()
    const database = new Database(path, module, new Vfs(module, path, files))
    try {
      database.#connect(key)
      return database
    } catch (cause) {
      database.close()
      throw cause
    }
  }

  /** Runs SQL without values, one statement or several. */
  execute(sql: string): void {
    const bytes = utf8(sql)
    this.#executeBytes(bytes)
  }

  run(sql: string, ...values: readonly Value[]): void {
    this.select(() => undefined, sql, ...values)
  }

  /** What `read` makes of each row. */
  select<T>(read: (row: Row) => T, sql: string, ...values: readonly Value[]): T[] {
    const statement = this.#prepared(sql)
    const found: T[] = []
    try {
      this.#bindAll(statement, values)
      while (this.#step(statement) === ROW) {
        this.#statement = statement
        found.push(read(this.#row))
      }
    } finally {
      this.#module._sqlite3_reset(statement)
      this.#module._sqlite3_clear_bindings(statement)
    }
    return found
  }

  /** All that `work` writes is on disk when this returns; when it throws, nothing of it is. */
  transaction(work: () => void): void {
    this.run("BEGIN IMMEDIATE")
    try {
      work()
      this.run("COMMIT")
    } finally {
      if (this.#module._sqlite3_get_autocommit(this.#db) === 0) this.run("ROLLBACK")
    }
  }

  close(): void {
    if (this.#db === 0) return
    for (const statement of this.#statements.values()) this.#module._sqlite3_finalize(statement)
    this.#statements.clear()
    this.#module._sqlite3_close(this.#db)
    this.#db = 0
  }

  #connect(key: Uint8Array): void {
    this.#module.vfs_register(this.#vfs, false)
    this.#withText(this.#vfs.name, (name) => this.#module._sqlite3mc_vfs_create(name, 1))
    const code = this.#withText(DATABASE_NAME, (name) =>
      this.#withText(`multipleciphers-${this.#vfs.name}`, (vfs) => this.#openAs(name, vfs)),
    )
    if (code !== OK) throw this.#fault(code)
    this.#module._sqlite3_extended_result_codes(this.#db, 1)
    this.#unlock(key)
    // Before anything else is read: the log's index then lies in memory and no shared memory is needed.
    this.execute("PRAGMA locking_mode=exclusive")
    this.execute("PRAGMA journal_mode=wal; PRAGMA synchronous=full; PRAGMA secure_delete=on")
    // A temporary file would be written without the cipher.
    this.execute("PRAGMA temp_store=memory; PRAGMA trusted_schema=off; PRAGMA foreign_keys=on")
  }

  #openAs(name: Pointer, vfs: Pointer): number {
    const out = this.#allocate(4)
    try {
      const code = this.#module._sqlite3_open_v2(name, out, OPEN_READWRITE_CREATE, vfs)
      this.#db = this.#pointerAt(out)
      return code
    } finally {
      this.#module._sqlite3_free(out)
    }
  }

  /** The key reaches SQLite as bytes that are wiped here and there: no string holds it. */
  #unlock(key: Uint8Array): void {
    if (key.length !== KEY_BYTES) throw new Fault("bug", `a database key has ${KEY_BYTES} bytes`)
    const hex = Buffer.alloc(2 * KEY_BYTES)
    for (const [at, byte] of key.entries()) {
      hex[2 * at] = HEX_DIGITS.charCodeAt(byte >>> 4)
      hex[2 * at + 1] = HEX_DIGITS.charCodeAt(byte & 15)
    }
    const sql = Buffer.concat([utf8("PRAGMA key='raw:"), hex, utf8("'")])
    try {
      this.#executeBytes(sql)
    } finally {
      wipe(hex, sql)
    }
  }

  #executeBytes(sql: Uint8Array): void {
    if (this.#db === 0) throw new Fault("bug", "the message store is closed")
    const pointer = this.#copied(sql)
    const code = this.#module._sqlite3_exec(this.#db, pointer, 0, 0, 0)
    this.#module.HEAPU8.fill(0, pointer, pointer + sql.length)
    this.#module._sqlite3_free(pointer)
    if (code !== OK) throw this.#fault(code)
  }

  #prepared(sql: string): Pointer {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    if (this.#db === 0) throw new Fault("bug", "the message store is closed")
    const out = this.#allocate(4)
    try {
      const code = this.#withText(sql, (text) => this.#module._sqlite3_prepare_v2(this.#db, text, -1, out, 0))
      if (code !== OK) throw this.#fault(code)
      const statement = this.#pointerAt(out)
      this.#statements.set(sql, statement)
      return statement
    } finally {
      this.#module._sqlite3_free(out)
    }
  }

  #bindAll(statement: Pointer, values: readonly Value[]): void {
    for (const [index, value] of values.entries()) {
      const code = this.#bind(statement, index + 1, value)
      if (code !== OK) throw this.#fault(code)
    }
  }

  /** A column's affinity makes an integer of a double that is one; doubles are exact up to 2^53. */
  #bind(statement: Pointer, at: number, value: Value): number {
    const module = this.#module
    if (value === null) return module._sqlite3_bind_null(statement, at)
    if (typeof value === "number") return module._sqlite3_bind_double(statement, at, value)
    const bytes = typeof value === "string" ? utf8(value) : value
    const copy = this.#copied(bytes)
    const free = module._getSqliteFree()
    // By length, not up to a zero byte: a text may contain one.
    return typeof value === "string"
      ? module._sqlite3_bind_text(statement, at, copy, bytes.length, free)
      : module._sqlite3_bind_blob(statement, at, copy, bytes.length, free)
  }

  #step(statement: Pointer): typeof ROW | typeof DONE {
    const code = this.#module._sqlite3_step(statement)
    if (code === ROW || code === DONE) return code
    throw this.#fault(code)
  }

  #textAt(column: number): string {
    const bytes = this.#bytesAt(this.#module._sqlite3_column_text(this.#statement, column), column)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8")
  }

  #bytesAt(pointer: Pointer, column: number): Uint8Array {
    const length = this.#module._sqlite3_column_bytes(this.#statement, column)
    return this.#module.HEAPU8.subarray(pointer, pointer + length)
  }

  #withText<T>(text: string, use: (pointer: Pointer) => T): T {
    const pointer = this.#copied(utf8(text))
    try {
      return use(pointer)
    } finally {
      this.#module._sqlite3_free(pointer)
    }
  }

  /** A copy in SQLite's memory, with a zero byte behind it. */
  #copied(bytes: Uint8Array): Pointer {
    const pointer = this.#allocate(bytes.length + 1)
    this.#module.HEAPU8.set(bytes, pointer)
    this.#module.HEAPU8[pointer + bytes.length] = 0
    return pointer
  }

  #allocate(bytes: number): Pointer {
    const pointer = this.#module._sqlite3_malloc(bytes)
    if (pointer === 0) throw this.#fault(NOMEM)
    return pointer
  }

  #pointerAt(pointer: Pointer): Pointer {
    return new DataView(this.#module.HEAPU8.buffer).getUint32(pointer, true)
  }

  #fault(code: number): Fault {
    const cause = this.#vfs.takeFailure()
    const primary = code & 0xff
    if (cause !== undefined && (primary === IOERR || primary === FULL || primary === CANTOPEN)) {
      return diskFault(cause, `use the message store ${this.#path}`)
    }
    if (primary === FULL)
      return new Fault("disk-full", `cannot use the message store ${this.#path}: the disk is full`, "df -h")
    if (primary === CORRUPT || primary === NOTADB || primary === IOERR) return damaged(this.#path)
    if (primary === NOMEM) return new Fault("io", "the message store is out of memory")
    const why = this.#module.UTF8ToString(this.#module._sqlite3_errmsg(this.#db))
    return new Fault("bug", `the message store refused a statement: ${why}`)
  }
}

/** Not ours, another profile's, or changed: the cipher cannot tell these apart. */
export function damaged(path: string): Fault {
  const hint = `mv ${path} ${path}.damaged`
  return new Fault(
    "damaged-database",
    `the message store ${path} is damaged or belongs to another profile`,
    hint,
  )
}
