import makeModule from "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs"
import type { SqliteModule } from "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs"
import { readFileSync } from "node:fs"
import { SQLITE_WASM } from "./sqlite-wasm.ts"

let compiled: WebAssembly.Module | undefined

/** A separate SQLite instance: it shares memory, VFS and failures with no other database. */
export async function loadSqlite(): Promise<SqliteModule> {
  return makeModule({
    instantiateWasm: (imports, done) => {
      compiled ??= compile()
      done(new WebAssembly.Instance(compiled, imports), compiled)
      return {}
    },
    printErr: () => undefined,
  })
}

function compile(): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(SQLITE_WASM))
}
