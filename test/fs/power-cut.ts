import fs from "node:fs"
import promises, { type FileHandle } from "node:fs/promises"
import { syncBuiltinESMExports } from "node:module"
import { dirname, join, relative } from "node:path"
import { onTestFinished } from "vitest"
import { type Disk, RecordedDisk } from "./recorded-disk.ts"

export type { Disk }

/** A folder whose calls to the operating system are recorded, with all folders below it. */
export type Recorder = {
  /** What was asked for, in order; `synced` is when the caller hears that a sync is done. */
  readonly log: readonly string[]
  /** Adds a line of the test's own, as where something is acknowledged. */
  readonly note: (line: string) => void
  /** Only what was synced: the bytes of each file, and the names in the folders. */
  readonly cut: () => Disk
  /** Two for each line that is no note: what a cut then could leave, without and with the names that were not synced. */
  readonly cuts: readonly Disk[]
  /** If asked for: all that a cut could leave, line by line, where the disk keeps no order among what was not synced. */
  readonly torn: readonly Disk[]
}

type State = {
  readonly disk: RecordedDisk
  readonly log: string[]
  readonly cuts: Disk[]
  readonly torn: Disk[]
  readonly isTorn: boolean
}

/** A caller that does not wait for a sync goes on long before so many turns have passed. */
const SYNC_TURNS = 5
/** The parts of a name that chance or the clock chose. */
const CHOSEN = /\.[0-9a-f]{16}(?=\.)|\.[0-9]{13}(?=\.)|(?<=\.tmp)-[0-9a-f]+/g

let recorded: State | undefined

/**
 * Records what this process does to the files in `folder`, to the end of the test. What lies there is on the disk. The
 * module must be imported before those that it watches: some keep the functions that they find.
 */
export function recordFolder(folder: string, { isTorn = false } = {}): Recorder {
  const disk = new RecordedDisk(folder)
  const state: State = { disk, log: [], cuts: [], torn: [], isTorn }
  recorded = state
  onTestFinished(() => {
    recorded = undefined
  })
  const { log, cuts, torn } = state
  return { log, cuts, torn, note: (line) => log.push(line), cut: () => disk.left() }
}

/** The folder as it is after the power has come back. */
export function putBack(disk: Disk, folder: string): void {
  for (const [path, bytes] of disk) {
    fs.mkdirSync(dirname(join(folder, path)), { recursive: true, mode: 0o700 })
    fs.writeFileSync(join(folder, path), bytes, { mode: 0o600 })
  }
}

function happened(state: State, line: string): void {
  const { disk, log, cuts, torn, isTorn } = state
  disk.look()
  const masked = line.replaceAll(CHOSEN, "")
  if (isTorn) torn.push(...disk.torn())
  if (log.at(-1) === masked) return
  log.push(masked)
  cuts.push(disk.left(), disk.left(true))
}

/** The path below the recorded folder, or undefined for one outside. */
function recordedPath(path: unknown): { state: State; path: string } | undefined {
  if (recorded === undefined || typeof path !== "string") return undefined
  const below = relative(recorded.disk.folder, path)
  return below === "" || below.startsWith("..") ? undefined : { state: recorded, path: below }
}

function touched(fd: number, what: string): void {
  const path = recorded?.disk.pathOf(fd)
  if (recorded !== undefined && path !== undefined) happened(recorded, `${what} ${path}`)
}

function syncing(fd: number): () => void {
  const state = recorded
  const path = state?.disk.pathOf(fd)
  if (state === undefined || path === undefined) return () => undefined
  happened(state, `sync ${path}`)
  const done = state.disk.syncing(fd, path)
  return () => {
    done()
    happened(state, `synced ${path}`)
  }
}

/** Called before a file or folder may be made; what it returns, after that. */
function making(what: string, path: unknown): () => void {
  const found = recordedPath(path)
  if (found === undefined || fs.existsSync(String(path))) return () => undefined
  return () => {
    if (!fs.existsSync(String(path))) return
    found.state.disk.isNew(String(path))
    happened(found.state, `${what} ${found.path}`)
  }
}

function makingFolders(path: unknown): () => void {
  const found = recordedPath(path)
  if (found === undefined) return () => undefined
  const parts = found.path.split("/")
  const folders = parts.map((_, depth) => join(found.state.disk.folder, ...parts.slice(0, depth + 1)))
  const made = folders.map((folder) => making("folder", folder))
  return () => made.forEach((after) => after())
}

/** Called before a file is written as a whole. */
function writing(path: unknown): () => void {
  const made = making("create", path)
  return () => {
    made()
    const found = recordedPath(path)
    if (found !== undefined) happened(found.state, `write ${found.path}`)
  }
}

function removing(path: unknown): () => void {
  const found = recordedPath(path)
  if (found === undefined || fs.lstatSync(String(path), { throwIfNoEntry: false }) === undefined)
    return () => undefined
  return () => happened(found.state, `remove ${found.path}`)
}

function moved(what: string, from: unknown, to: unknown): void {
  const [one, other] = [recordedPath(from), recordedPath(to)]
  if (one !== undefined && other !== undefined) happened(one.state, `${what} ${one.path} ${other.path}`)
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < SYNC_TURNS; turn++) await new Promise(setImmediate)
}

/** The call, with what is done before it and after it by the path that it takes first. */
function around<Args extends unknown[], Result>(
  before: (path: unknown) => () => void,
  call: (...args: Args) => Result,
): (...args: Args) => Result {
  return (...args) => {
    const after = before(args[0])
    const result = call(...args)
    after()
    return result
  }
}

/** The same for a call that resolves. */
function aroundAsync<Args extends unknown[], Result>(
  before: (path: unknown) => () => void,
  call: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  return async (...args) => {
    const after = before(args[0])
    const result = await call(...args)
    after()
    return result
  }
}

function creating(path: unknown): () => void {
  return making("create", path)
}

const { writeSync, ftruncateSync, fsyncSync, fdatasyncSync, renameSync, linkSync } = fs
Object.assign(fs, {
  openSync: around(creating, fs.openSync),
  writeFileSync: around(writing, fs.writeFileSync),
  appendFileSync: around(writing, fs.appendFileSync),
  mkdirSync: around(makingFolders, fs.mkdirSync),
  rmSync: around(removing, fs.rmSync),
  rmdirSync: around(removing, fs.rmdirSync),
  unlinkSync: around(removing, fs.unlinkSync),
  writeSync: (fd: number, ...rest: [Buffer, number, number, number]) => {
    const count = writeSync(fd, ...rest)
    touched(fd, "write")
    return count
  },
  ftruncateSync: (fd: number, length: number) => {
    ftruncateSync(fd, length)
    touched(fd, "truncate")
  },
  fsyncSync: (fd: number) => syncNow(fd, fsyncSync),
  fdatasyncSync: (fd: number) => syncNow(fd, fdatasyncSync),
  renameSync: (from: string, to: string) => {
    renameSync(from, to)
    moved("rename", from, to)
  },
  linkSync: (from: string, to: string) => {
    linkSync(from, to)
    moved("link", from, to)
  },
})

function syncNow(fd: number, sync: (fd: number) => void): void {
  const done = syncing(fd)
  sync(fd)
  done()
}

const { open, rename, link } = promises
Object.assign(promises, {
  open: aroundAsync(creating, open),
  writeFile: aroundAsync(writing, promises.writeFile),
  mkdir: aroundAsync(makingFolders, promises.mkdir),
  rm: aroundAsync(removing, promises.rm),
  unlink: aroundAsync(removing, promises.unlink),
  rename: async (from: string, to: string) => {
    await rename(from, to)
    moved("rename", from, to)
  },
  link: async (from: string, to: string) => {
    await link(from, to)
    moved("link", from, to)
  },
})

type Method = (this: FileHandle, ...args: unknown[]) => Promise<unknown>

const probe = await open(import.meta.filename, "r")
const handles = Object.getPrototypeOf(probe) as Record<string, Method>
await probe.close()

/** The methods of every file handle: an `around` knows the file before the call and after it. */
function replaceMethod(name: string, aroundIt: (file: FileHandle) => () => Promise<void> | void): void {
  const original = handles[name]
  if (original === undefined) throw new Error(`file handles have no ${name}`)
  handles[name] = async function (...args) {
    const after = aroundIt(this)
    const result = await original.apply(this, args)
    await after()
    return result
  }
}

for (const name of ["write", "writev", "writeFile", "appendFile", "truncate"]) {
  replaceMethod(name, (file) => () => touched(file.fd, name === "truncate" ? name : "write"))
}
for (const name of ["sync", "datasync"]) {
  replaceMethod(name, ({ fd }) => {
    const done = syncing(fd)
    return async () => {
      if (recorded !== undefined) await turns()
      done()
    }
  })
}
syncBuiltinESMExports()
