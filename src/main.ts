#!/usr/bin/env node
import { keepMemoryOutOfCores } from "./cli/terminal/core-dump.ts"
import { endByHangUp } from "./cli/terminal/hang-up.ts"
import { printRows } from "./cli/terminal/print.ts"
import { openSink } from "./cli/terminal/sink.ts"
import { DEFAULT_PROFILE } from "./default-profile.ts"
import { VERSION } from "./version.ts"
import { setWasmFlags } from "./wasm-flags.ts"
import { display } from "./wire/text.ts"

/** A bug: EX_SOFTWARE of sysexits(3). */
const BUG = 70
/** A pipe that is not read must not keep a failed process alive. */
const LAST_WORDS_MS = 1_000

/** The whole program is loaded only if the fast path cannot do it. */
async function main(argv: readonly string[]): Promise<number> {
  const [first, ...others] = argv
  if (others.length === 0 && (first === "--version" || first === "-V")) return printRows([display(VERSION)])
  if (first === "send" || first === "inbox") {
    const { runFastPath } = await import("./fast-path.ts")
    const code = await runFastPath(argv, DEFAULT_PROFILE)
    if (code !== undefined) return code
  }
  const { run } = await import("./cli/program.ts")
  return run(argv, DEFAULT_PROFILE)
}

/** Unexpected error: report as a bug. Exit hooks restore the terminal. */
function reportBug(cause: unknown): void {
  const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  const stderr = openSink(process.stderr)
  stderr.write(`mqttchat: this is a bug, please report it\n${what}\n`)
  setTimeout(() => process.exit(BUG), LAST_WORDS_MS)
  void stderr.settled().then(() => process.exit(BUG))
}

keepMemoryOutOfCores()
setWasmFlags()
endByHangUp()
// Node ends with 0 when nothing is left to wait for, also in the middle of a command.
const endAsBug = (): void => void (process.exitCode = BUG)
process.once("exit", endAsBug)
process.on("uncaughtException", reportBug)
main(process.argv.slice(2)).then((code) => {
  process.off("exit", endAsBug)
  process.exitCode = code
}, reportBug)
