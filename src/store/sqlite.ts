import makeModule from "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs"
import type { SqliteModule } from "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs"
import { readFileSync } from "node:fs"
import { setFlagsFromString } from "node:v8"
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

/**
 * V8 optimises a WebAssembly function after its budget of work, by default so small that opening a database spends
 * more time on that than on its own work. With this budget a short command ends first, and a long chat runs optimised
 * code after some hundred commits.
 */
const TIERING_BUDGET = 1_000_000_000

/** A function is validated at its first call and not at load: most functions are never called. */
function compile(): WebAssembly.Module {
  setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`)
  setFlagsFromString("--wasm-lazy-validation")
  return new WebAssembly.Module(readFileSync(SQLITE_WASM))
}
