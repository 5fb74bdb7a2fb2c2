import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { createHash } from "node:crypto"
import { dirname, join } from "node:path"
import { cachedDataVersionTag } from "node:v8"
import { Script } from "node:vm"
import { makePrivateFolder } from "./fs/private-folder.ts"
import { cacheFolder, type PathsEnv } from "./paths.ts"

/** The program that the build has made of one entry: a function with the parameters of a CommonJS module. */
export type BuiltScript = {
  readonly path: string
  /** Of its contents, in hex: V8 compares only the length of a source. */
  readonly hash: string
  /** What it calls for Node's own modules. */
  readonly require: NodeJS.Require
}

/** What a script exports. */
type Exports = Record<string, () => unknown>
type Main = (exports: Exports, require: NodeJS.Require, filename: string, dirname: string) => void

/** SHA-256, in front of the code. */
const CHECKSUM_BYTES = 32

/** Commands that answer and end, so that compiling the program is a good part of them. */
const SHORT_COMMANDS = new Set(["contacts", "history", "inbox", "outbox", "search", "send", "status"])

/**
 * Runs a built script. What V8 has compiled of it by the end of a short command is kept for the next: reading that takes
 * a quarter of the time. Without it, or with one of another program or Node, everything is compiled again.
 */
export function runScript(script: BuiltScript, argv: readonly string[], env: PathsEnv): Exports {
  const command = argv.find((word) => SHORT_COMMANDS.has(word))
  const compiled = command === undefined ? compile(script) : compileOrRead(script, cacheFile(command, env))
  const exports: Exports = {}
  const main = compiled.runInThisContext() as Main
  main(exports, script.require, script.path, dirname(script.path))
  return exports
}

function compile({ path }: BuiltScript, cachedData?: Buffer): Script {
  // The build leaves no character that is not ASCII: such a source needs half the memory, and no decoding.
  return new Script(readFileSync(path, "latin1"), { filename: path, ...(cachedData && { cachedData }) })
}

/** Keeps the code at the end of the process, if it was not kept before. */
function compileOrRead(script: BuiltScript, cache: CacheFile | undefined): Script {
  if (cache === undefined) return compile(script)
  const kept = join(cache.folder, `${cache.prefix}${nameOf(script)}`)
  const cachedData = readIfWhole(kept)
  const compiled = compile(script, cachedData)
  if (cachedData !== undefined && compiled.cachedDataRejected === false) return compiled
  process.once("exit", (code) => {
    if (code === 0) keep(cache, kept, compiled.createCachedData())
  })
  return compiled
}

/** V8's tag covers its version, its flags and the processor. */
function nameOf({ hash }: BuiltScript): string {
  return `${hash}-${process.version}-${cachedDataVersionTag().toString(16)}`
}

type CacheFile = { readonly folder: string; readonly prefix: string }

/**
 * A folder of this user alone, for what is in it is run. Undefined where there can be none: the program runs without.
 */
function cacheFile(command: string, env: PathsEnv): CacheFile | undefined {
  try {
    const folder = cacheFolder(env)
    makePrivateFolder(folder)
    return { folder, prefix: `${command}-` }
  } catch {
    return undefined
  }
}

/** V8 runs what it is given: it looks at the version, and not for damage. */
function readIfWhole(path: string): Buffer | undefined {
  try {
    const file = readFileSync(path)
    const code = file.subarray(CHECKSUM_BYTES)
    return checksum(code).equals(file.subarray(0, CHECKSUM_BYTES)) ? code : undefined
  } catch {
    return undefined
  }
}

function checksum(code: Buffer): Buffer {
  return createHash("sha256").update(code).digest()
}

/** In the place of what an earlier program kept for the command. It is only a cache: a full disk changes nothing. */
function keep({ folder, prefix }: CacheFile, path: string, code: Buffer): void {
  const temporary = `${path}.${process.pid}.new`
  try {
    const descriptor = openSync(temporary, "wx", 0o600)
    try {
      writeFileSync(descriptor, checksum(code))
      writeFileSync(descriptor, code)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    for (const name of readdirSync(folder))
      if (name.startsWith(prefix) && join(folder, name) !== temporary) rmSync(join(folder, name))
    renameSync(temporary, path)
  } catch {
    rmSync(temporary, { force: true })
  }
}
