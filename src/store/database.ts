import type { Pointer, SqliteModule } from "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs"
import { concat, utf8, wipe } from "../crypto/bytes.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import { Fault } from "../errors.ts"
import { diskFault } from "../fs/disk-fault.ts"
import type { FileSystem } from "./files.ts"
import { Heap } from "./heap.ts"
import { PAGE_BYTES } from "./log-scan.ts"
import { loadSqlite } from "./sqlite.ts"
import { DATABASE_NAME, Vfs } from "./vfs.ts"

const OK = 0
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const NOTADB = 26
/** SQLite's answers to a failed file operation, whose cause the VFS keeps. */
const FILE_CODES = [IOERR, FULL, CANTOPEN]
/** Without such a cause, the content is damaged. */
const DAMAGE_CODES = [IOERR, CORRUPT, NOTADB]
const ROW = 100
const DONE = 101

const OPEN_READWRITE_CREATE = 0x2 | 0x4
const TYPE_NULL = 5

const HEX_DIGITS = "0123456789abcdef"

export type Value = number | string | Uint8Array | null

/** The columns of the current row, by position. Readable only while the row is being read. */
export type Row = {
  readonly number: (column: number) => number
  readonly text: (column: number) => string
  readonly bytes: (column: number) => Uint8Array
  readonly isNull: (column: number) => boolean
  /** One of the words that the column may hold. */
  readonly oneOf: <Word extends string>(column: number, words: readonly Word[]) => Word
}

type Statement = { readonly pointer: Pointer; readonly row: Row }

/**
 * One encrypted SQLite file and its only connection. Every call runs to its end: nothing comes between the statements
 * of a transaction. Faults `disk-full`, `io`, `damaged-database`; `bug` for what SQLite refuses otherwise.
 */
export class Database {
  readonly #path: string
  readonly #module: SqliteModule
  readonly #heap: Heap
  readonly #vfs: Vfs
  readonly #statements = new Map<string, Statement>()
  #db: Pointer = 0

  private constructor(path: string, module: SqliteModule, vfs: Vfs) {
    this.#path = path
    this.#module = module
    this.#heap = new Heap(module)
    this.#vfs = vfs
  }

  /** Opens or makes the file. `key` has 32 bytes. A wrong key or a foreign file: Fault `damaged-database`. */
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
    this.#executeBytes(utf8(sql))
  }

  run(sql: string, ...values: readonly Value[]): void {
    this.select(() => undefined, sql, ...values)
  }

  /** The results of `read` for each row. */
  select<T>(read: (row: Row) => T, sql: string, ...values: readonly Value[]): T[] {
    const { pointer, row } = this.#prepared(sql)
    const found: T[] = []
    try {
      this.#bindAll(pointer, values)
      while (this.#step(pointer) === ROW) found.push(read(row))
    } finally {
      this.#module._sqlite3_reset(pointer)
      this.#module._sqlite3_clear_bindings(pointer)
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
    for (const { pointer } of this.#statements.values()) this.#module._sqlite3_finalize(pointer)
    this.#statements.clear()
    this.#module._sqlite3_close(this.#db)
    this.#db = 0
  }

  #connect(key: Uint8Array): void {
    this.#module.vfs_register(this.#vfs, false)
    this.#heap.withText(this.#vfs.name, (name) => this.#module._sqlite3mc_vfs_create(name, 1))
    this.#open()
    this.#module._sqlite3_extended_result_codes(this.#db, 1)
    this.#unlock(key)
    // Most commits change a few bytes on each of ten pages, and each changed page is encrypted and written whole.
    this.execute(`PRAGMA page_size=${PAGE_BYTES}`)
    // Before anything else is read: the log's index is then in memory and no shared memory is needed.
    this.execute("PRAGMA locking_mode=exclusive")
    this.execute("PRAGMA journal_mode=wal; PRAGMA synchronous=full; PRAGMA secure_delete=on")
    // A temporary file would not be encrypted.
    this.execute("PRAGMA temp_store=memory; PRAGMA trusted_schema=off; PRAGMA foreign_keys=on")
  }

  #open(): void {
    const { code, pointer } = this.#heap.withText(DATABASE_NAME, (name) =>
      this.#heap.withText(`multipleciphers-${this.#vfs.name}`, (vfs) =>
        this.#heap.answered((out) => this.#module._sqlite3_open_v2(name, out, OPEN_READWRITE_CREATE, vfs)),
      ),
    )
    this.#db = pointer
    if (code !== OK) throw this.#fault(code)
  }

  /** The key reaches SQLite as bytes that both sides wipe: no string holds it. */
  #unlock(key: Uint8Array): void {
    if (key.length !== KEY_BYTES) throw new Fault("bug", `a database key has ${KEY_BYTES} bytes`)
    const hex = Buffer.alloc(2 * KEY_BYTES)
    for (const [at, byte] of key.entries()) {
      hex[2 * at] = HEX_DIGITS.charCodeAt(byte >>> 4)
      hex[2 * at + 1] = HEX_DIGITS.charCodeAt(byte & 15)
    }
    const sql = concat(utf8("PRAGMA key='raw:"), hex, utf8("'"))
    try {
      this.#executeBytes(sql)
    } finally {
      wipe(hex, sql)
    }
  }

  #executeBytes(sql: Uint8Array): void {
    this.#mustBeOpen()
    this.#vfs.forgetFailure()
    const code = this.#heap.with(sql, (text) => this.#module._sqlite3_exec(this.#db, text, 0, 0, 0))
    if (code !== OK) throw this.#fault(code)
  }

  #prepared(sql: string): Statement {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    this.#mustBeOpen()
    const { code, pointer } = this.#heap.withText(sql, (text) =>
      this.#heap.answered((out) => this.#module._sqlite3_prepare_v2(this.#db, text, -1, out, 0)),
    )
    if (code !== OK) throw this.#fault(code)
    const statement = { pointer, row: this.#row(pointer) }
    this.#statements.set(sql, statement)
    return statement
  }

  #mustBeOpen(): void {
    if (this.#db === 0) throw new Fault("bug", "the message store is closed")
  }

  #bindAll(statement: Pointer, values: readonly Value[]): void {
    let at = 0
    for (const value of values) {
      at += 1
      const code = this.#bind(statement, at, value)
      if (code !== OK) throw this.#fault(code)
    }
  }

  /** A column's affinity stores an integral double as an integer; doubles are exact up to 2^53. */
  #bind(statement: Pointer, at: number, value: Value): number {
    const module = this.#module
    if (value === null) return module._sqlite3_bind_null(statement, at)
    if (typeof value === "number") return module._sqlite3_bind_double(statement, at, value)
    const bytes = typeof value === "string" ? utf8(value) : value
    const copy = this.#heap.copied(bytes)
    const free = module._getSqliteFree()
    // By length, not up to a zero byte: a text may contain one.
    return typeof value === "string"
      ? module._sqlite3_bind_text(statement, at, copy, bytes.length, free)
      : module._sqlite3_bind_blob(statement, at, copy, bytes.length, free)
  }

  #step(statement: Pointer): typeof ROW | typeof DONE {
    this.#vfs.forgetFailure()
    const code = this.#module._sqlite3_step(statement)
    if (code === ROW || code === DONE) return code
    throw this.#fault(code)
  }

  #row(statement: Pointer): Row {
    const module = this.#module
    const size = (column: number): number => module._sqlite3_column_bytes(statement, column)
    const text = (column: number): string =>
      this.#heap.text(module._sqlite3_column_text(statement, column), size(column))
    return {
      number: (column) => module._sqlite3_column_double(statement, column),
      text,
      bytes: (column) => this.#heap.bytes(module._sqlite3_column_blob(statement, column), size(column)),
      isNull: (column) => module._sqlite3_column_type(statement, column) === TYPE_NULL,
      oneOf: (column, words) => {
        const value = text(column)
        const found = words.find((word) => word === value)
        if (found === undefined) throw damaged(this.#path)
        return found
      },
    }
  }

  #fault(code: number): Fault {
    const primary = code & 0xff
    const cause = this.#vfs.failure()
    if (cause !== undefined && FILE_CODES.includes(primary)) {
      return diskFault(cause, `use the message store ${this.#path}`, this.#path)
    }
    if (DAMAGE_CODES.includes(primary)) return damaged(this.#path)
    const why = this.#module.UTF8ToString(this.#module._sqlite3_errmsg(this.#db))
    return new Fault("bug", `the message store refused a statement: ${why}`)
  }
}

/** The keys do not depend on the store, so a profile can go on with an empty one. */
export const LOST_STORE_HINT =
  "put back a copy of it, or go on with an empty one and pair again: mqttchat init --new-database"

/** Not ours, another profile's, or changed: the cipher cannot tell these apart. */
export function damaged(path: string): Fault {
  const message = `the message store ${path} is damaged or belongs to another profile`
  return new Fault("damaged-database", message, LOST_STORE_HINT)
}
