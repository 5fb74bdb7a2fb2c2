import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { codeOf, Fault } from "../errors.ts"
import { diskFault } from "./disk-fault.ts"
import { makePrivateFolder, withHomeHint } from "./private-folder.ts"

/** Each retry means that another process finished a takeover meanwhile; this many in a row is not a race. */
const ATTEMPTS_MAX = 1000

const NONCE = /^[0-9a-f]{32}$/

export type Lock =
  | { readonly kind: "taken"; readonly release: () => void }
  /** A living process has it, or is taking it over from a dead one. */
  | { readonly kind: "held"; readonly pid: number }

/** Who wrote a lock file. The nonce is new each time, even for the same process. */
type Claim = { readonly pid: number; readonly started: string; readonly nonce: string }

/**
 * Takes the lock file at `path` for this process, or says who has it. Exactly one process takes over the lock of a dead
 * one: its heir is the first that creates the file named after the dead claim's nonce. If the heir dies as well, its own
 * heir is found by the same rule. The heir then replaces the dead claim atomically. Faults `io` and `disk-full`.
 */
export function takeLock(path: string): Lock {
  makePrivateFolder(dirname(path))
  const mine: Claim = {
    pid: process.pid,
    started: processStart(process.pid) ?? "",
    nonce: nodeCrypto().randomBytes(16).toString("hex"),
  }
  const temporary = `${path}.${mine.nonce}`
  try {
    writeFileSync(temporary, write(mine), { mode: 0o600, flag: "wx" })
    return acquire(path, temporary, mine)
  } catch (cause) {
    throw cause instanceof Fault ? cause : withHomeHint(diskFault(cause, `take the lock ${path}`, path))
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** The process that has the lock at `path`, or is taking it over; undefined if it is free. */
export function lockHolder(path: string): number | undefined {
  const holder = read(path)
  return holder !== undefined && alive(holder) ? holder.pid : undefined
}

function acquire(path: string, temporary: string, mine: Claim): Lock {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (linked(temporary, path)) return { kind: "taken", release: () => release(path, mine) }
    const holder = read(path)
    if (holder === undefined) continue
    if (alive(holder)) return { kind: "held", pid: holder.pid }
    const outcome = takeOver(path, temporary, holder)
    if (outcome === "heir") return { kind: "taken", release: () => release(path, mine) }
    if (outcome !== "late") return { kind: "held", pid: outcome.pid }
  }
  throw new Fault("io", `the lock ${path} keeps changing hands`)
}

/** "heir": the lock is ours. "late": the dead claim was replaced meanwhile. Otherwise the living heir. */
function takeOver(path: string, temporary: string, dead: Claim): "heir" | "late" | Claim {
  const takeoverFiles: string[] = []
  for (let last = dead; takeoverFiles.length < ATTEMPTS_MAX;) {
    const takeoverFile = `${path}.${last.nonce}.heir`
    takeoverFiles.push(takeoverFile)
    if (linked(temporary, takeoverFile)) return completeTakeover(path, temporary, { dead, takeoverFiles })
    const successor = read(takeoverFile)
    if (successor === undefined) return "late"
    if (alive(successor)) return successor
    last = successor
  }
  return "late"
}

/** Re-check the nonce: if the lock was replaced meanwhile, our claim is stale. */
function completeTakeover(
  path: string,
  temporary: string,
  claims: { dead: Claim; takeoverFiles: readonly string[] },
): "heir" | "late" {
  const won = read(path)?.nonce === claims.dead.nonce
  if (won) renameSync(temporary, path)
  for (const takeoverFile of won ? claims.takeoverFiles : claims.takeoverFiles.slice(-1))
    rmSync(takeoverFile, { force: true })
  return won ? "heir" : "late"
}

/** Loaded when it is needed: the shortest commands only ask who has a lock. */
function nodeCrypto(): typeof import("node:crypto") {
  return process.getBuiltinModule("node:crypto")
}

function release(path: string, mine: Claim): void {
  if (read(path)?.nonce === mine.nonce) rmSync(path, { force: true })
}

function linked(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path)
    return true
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return false
    throw cause
  }
}

function write(claim: Claim): string {
  return `${claim.pid}\n${claim.started}\n${claim.nonce}\n`
}

/**
 * Undefined if there is no file. An incomplete one (a power cut) is a dead claim. Its nonce comes from its path, so that
 * the heir of a damaged heir has another name.
 */
function read(path: string): Claim | undefined {
  try {
    const [pid, started, nonce] = readFileSync(path, "latin1").split("\n")
    if (nonce !== undefined && NONCE.test(nonce)) return { pid: Number(pid), started: started ?? "", nonce }
    return {
      pid: 0,
      started: "",
      nonce: nodeCrypto().createHash("sha256").update(path).digest("hex").slice(0, 32),
    }
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined
    throw cause
  }
}

function alive(claim: Claim): boolean {
  if (!Number.isSafeInteger(claim.pid) || claim.pid <= 0) return false
  const signal = maySignal(claim.pid)
  if (signal === "gone") return false
  const started = processStart(claim.pid)
  if (started !== undefined) return started === claim.started
  return signal === "another user's" || claim.started === ""
}

function maySignal(pid: number): "gone" | "ours" | "another user's" {
  try {
    process.kill(pid, 0)
    return "ours"
  } catch (cause) {
    return codeOf(cause) === "EPERM" ? "another user's" : "gone"
  }
}

/**
 * Tells a process from a later one with the same id: boot id and start time from /proc (proc(5), stat fields 3 and 22).
 * "dead" for a process that is dead and not yet reaped; undefined if the system does not say.
 */
function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    if (fields[0] === "Z") return "dead"
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()} ${fields[19] ?? ""}`
  } catch {
    return undefined
  }
}
