import { createRequire } from "node:module"

/** SQLite's WebAssembly in its package. In the packed program the file lies beside the chunks, and the build says so here. */
export const SQLITE_WASM = createRequire(import.meta.url).resolve(
  "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.wasm",
)
