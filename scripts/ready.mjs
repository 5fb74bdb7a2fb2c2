import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export const ROOT = join(import.meta.dirname, "..")
const STAMP = join(ROOT, "node_modules", ".mqttchat-installed")

/** `npm pack` and similar commands pass their own flags on to what they run. */
const AS_ALWAYS = ["--no-dry-run", "--no-json", "--no-global", "--include=dev", "--include=optional"]

/** Runs a command in the project with its output shown; ends this process with its exit code if it fails. */
export function run(command, ...args) {
  orEnd(spawnSync(command, args, { cwd: ROOT, stdio: "inherit" }))
}

/** The same, and the process goes on: true if the command ended well. */
export function succeeds(command, ...args) {
  return spawnSync(command, args, { cwd: ROOT, stdio: "inherit" }).status === 0
}

function orEnd({ status }) {
  if (status !== 0) process.exit(status ?? 1)
}

/** Installs exactly what package-lock.json says, unless that very lock file is what is installed already. */
export function install() {
  const lock = createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .digest("hex")
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === lock) return
  process.stderr.write("installing packages (npm ci)\n")
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error", ...AS_ALWAYS]
  // The stdout of `npm pack --json` is for a program.
  orEnd(spawnSync("npm", args, { cwd: ROOT, stdio: ["inherit", process.stderr, "inherit"] }))
  writeFileSync(STAMP, lock)
}
