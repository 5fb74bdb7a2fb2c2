import { setFlagsFromString } from "node:v8"

/**
 * V8 optimises a WebAssembly function after its budget of work, by default so small that opening a database spends
 * more time on that than on its own work. With this budget a short command ends first, and a long chat runs optimised
 * code after some hundred commits.
 */
const TIERING_BUDGET = 1_000_000_000

/**
 * Before anything is compiled: V8 reads no code that was compiled under other flags. A function of WebAssembly is validated
 * at its first call and not at load: most functions of SQLite are never called.
 */
export function setWasmFlags(): void {
  setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`)
  setFlagsFromString("--wasm-lazy-validation")
}
