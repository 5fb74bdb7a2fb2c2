import { createRequire } from "node:module"

/** SQLite's WebAssembly in its package. In the packed program the file lies next to the chunks, and the build sets its path here. */
export const SQLITE_WASM = createRequire(import.meta.url).resolve(
  "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.wasm",
)
