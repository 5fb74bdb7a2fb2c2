import { execFileSync } from "node:child_process"
import { chownSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { onTestFinished } from "vitest"
import { Terminal } from "../cli/terminal.ts"

const ROOT = join(import.meta.dirname, "../..")
/** Files that are not in a clone. */
const NOT_IN_A_CLONE = new Set(["node_modules", "dist", "coverage", "reports", ".git", ".stryker-tmp"])
/** By convention the user `nobody`, which owns no file. */
const NOT_ROOT = 65_534
/** How the machine reaches a registry; a newcomer gets nothing else of our environment. */
const WAY_OUT = /^(https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_(file|dir)|npm_config_registry)$/i
/** Wider than every row, so that none wraps. */
const COLUMNS = 200

/**
 * Users who have this project's files and Node, and nothing else of ours: not root, with homes, a prefix and a cache of
 * their own. MQTTCHAT_README_PATH names folders with another Node or npm; MQTTCHAT_README_FRESH=1 leaves the packages
 * out of the copy, so that it fetches them as a new clone does.
 */
export class Machines {
  readonly #folder = mkdtempSync(join(tmpdir(), "mqttchat-readme-"))
  readonly #uid = process.getuid?.() === 0 ? NOT_ROOT : undefined

  constructor() {
    for (const name of ["cache", "tmp"]) mkdirSync(join(this.#folder, name))
    this.#handOver(this.#folder)
    onTestFinished(() => rmSync(this.#folder, { recursive: true, force: true }))
  }

  /** Our working tree as in a clone, with links to the packages that we have already installed. */
  clone(): string {
    const copy = join(this.#folder, "clone")
    cpSync(ROOT, copy, { recursive: true, filter: (path) => !NOT_IN_A_CLONE.has(nameAtTop(path)) })
    this.#handOver(copy)
    if (process.env["MQTTCHAT_README_FRESH"] !== "1") this.#lend(join(copy, "node_modules"))
    return copy
  }

  homeOf(name: string): string {
    const home = join(this.#folder, name)
    mkdirSync(home, { recursive: true })
    this.#handOver(home)
    return home
  }

  /** Types a command into a new terminal of a user, by default in their home. */
  types(name: string, command: string, folder = this.homeOf(name)): Terminal {
    const env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([key]) => WAY_OUT.test(key))),
      PATH: [this.#bin, process.env["MQTTCHAT_README_PATH"], dirname(process.execPath), process.env["PATH"]]
        .filter((part) => part !== undefined)
        .join(delimiter),
      HOME: this.homeOf(name),
      TMPDIR: join(this.#folder, "tmp"),
      LANG: "C.UTF-8",
      TZ: "UTC",
      npm_config_cache: join(this.#folder, "cache"),
    }
    return new Terminal({ env }, ["-c", command], {
      command: "/bin/sh",
      folder,
      columns: COLUMNS,
      ...(this.#uid === undefined ? {} : { uid: this.#uid }),
    })
  }

  /** Where the README's own prefix puts commands; all users share what one of them has installed. */
  get #bin(): string {
    return join(this.homeOf("alice"), ".local/bin")
  }

  /** Our packages, if possible as links to the same files; only the top folder can be written. */
  #lend(packages: string): void {
    const ours = join(ROOT, "node_modules")
    try {
      execFileSync("cp", ["-Rl", ours, packages], { stdio: "ignore" })
    } catch {
      rmSync(packages, { recursive: true, force: true })
      execFileSync("cp", ["-R", ours, packages])
    }
    if (this.#uid !== undefined) chownSync(packages, this.#uid, this.#uid)
  }

  #handOver(path: string): void {
    if (this.#uid !== undefined) execFileSync("chown", ["-R", `${this.#uid}:${this.#uid}`, path])
  }
}

/** The name of an entry directly in the project, else nothing. */
function nameAtTop(path: string): string {
  return dirname(path) === ROOT ? path.slice(ROOT.length + 1) : ""
}
