#!/usr/bin/env node
import manifest from "../package.json" with { type: "json" }
import { DEFAULT_PROFILE } from "./default-profile.ts"

/** A bug: EX_SOFTWARE of sysexits(3). */
const BUG = 70

/** The whole program is loaded only where less will not do. */
async function main(argv: readonly string[]): Promise<number> {
  const [first, ...others] = argv
  if (others.length === 0 && (first === "--version" || first === "-V")) {
    process.stdout.write(`${manifest.version}\n`)
    return 0
  }
  if (first === "send" || first === "inbox") {
    const { runFastPath } = await import("./fast-path.ts")
    const code = await runFastPath(argv, DEFAULT_PROFILE)
    if (code !== undefined) return code
  }
  const { run } = await import("./cli/program.ts")
  return run(argv, DEFAULT_PROFILE)
}

/** Whatever reaches this is no fault that anybody foresaw; what runs at exit puts the terminal back. */
function reportBug(cause: unknown): void {
  const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  process.stderr.write(`mqttchat: this is a bug, please report it\n${what}\n`)
  process.exit(BUG)
}

process.on("uncaughtException", reportBug)
main(process.argv.slice(2)).then((code) => (process.exitCode = code), reportBug)
