import makeModule from "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs"
import type { SqliteModule } from "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { setFlagsFromString } from "node:v8"

/** Found from source and from a bundle alike, wherever the package is installed. */
const WASM = "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.wasm"

let compiled: WebAssembly.Module | undefined

/** A SQLite of its own: memory, VFS and failures are shared with no other database. */
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

/** Without V8's optimising compiler, which costs more time than a command runs. */
function compile(): WebAssembly.Module {
  setFlagsFromString("--liftoff-only")
  return new WebAssembly.Module(readFileSync(createRequire(import.meta.url).resolve(WASM)))
}
