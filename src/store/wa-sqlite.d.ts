/** TypeScript's library for Node lacks these two constructors. */
declare namespace WebAssembly {
  type Module = { readonly kind: unique symbol }
  type Instance = { readonly exports: object }
  type Imports = Record<string, Record<string, unknown>>
  const Module: new (bytes: Uint8Array) => Module
  const Instance: new (module: Module, imports: Imports) => Instance
}

/** The parts of the Emscripten module that we use; the package types only its own wrapper. Pointers are byte offsets. */
declare module "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs" {
  export type Pointer = number

  export type SqliteModule = {
    /** Replaced when the memory grows: read it again for each use. */
    readonly HEAPU8: Uint8Array<ArrayBuffer>
    UTF8ToString(text: Pointer): string
    vfs_register(vfs: object, makeDefault: boolean): number
    _getSqliteFree(): Pointer
    _sqlite3_malloc(bytes: number): Pointer
    _sqlite3_free(pointer: Pointer): void
    _sqlite3_open_v2(name: Pointer, db: Pointer, flags: number, vfs: Pointer): number
    _sqlite3_close(db: Pointer): number
    _sqlite3_extended_result_codes(db: Pointer, on: number): number
    _sqlite3_errmsg(db: Pointer): Pointer
    _sqlite3_get_autocommit(db: Pointer): number
    _sqlite3_exec(db: Pointer, sql: Pointer, row: number, argument: Pointer, message: Pointer): number
    _sqlite3_prepare_v2(db: Pointer, sql: Pointer, bytes: number, statement: Pointer, tail: Pointer): number
    _sqlite3_step(statement: Pointer): number
    _sqlite3_reset(statement: Pointer): number
    _sqlite3_clear_bindings(statement: Pointer): number
    _sqlite3_finalize(statement: Pointer): number
    _sqlite3_bind_null(statement: Pointer, at: number): number
    _sqlite3_bind_double(statement: Pointer, at: number, value: number): number
    _sqlite3_bind_blob(statement: Pointer, at: number, value: Pointer, bytes: number, free: Pointer): number
    _sqlite3_bind_text(statement: Pointer, at: number, value: Pointer, bytes: number, free: Pointer): number
    _sqlite3_column_type(statement: Pointer, column: number): number
    _sqlite3_column_double(statement: Pointer, column: number): number
    _sqlite3_column_blob(statement: Pointer, column: number): Pointer
    _sqlite3_column_text(statement: Pointer, column: number): Pointer
    _sqlite3_column_bytes(statement: Pointer, column: number): number
    _sqlite3mc_vfs_create(vfs: Pointer, makeDefault: number): number
  }

  const make: (options: {
    readonly instantiateWasm: (
      imports: WebAssembly.Imports,
      done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
    ) => object
    readonly printErr: (line: string) => void
  }) => Promise<SqliteModule>
  export default make
}
