import fs from "node:fs"
import promises, { type FileHandle } from "node:fs/promises"
import { syncBuiltinESMExports } from "node:module"
import { basename, dirname, join } from "node:path"
import { onTestFinished } from "vitest"

/** What a power cut leaves in a folder: the names of its files, and what each holds. */
export type Disk = ReadonlyMap<string, Buffer>

/** A folder whose calls to the operating system are recorded. */
export type Recorder = {
  /** What was asked for, in order; `synced` is when the caller hears that a sync is done. */
  readonly log: readonly string[]
  /** Adds a line of the test's own, as where something is acknowledged. */
  readonly note: (line: string) => void
  /** Only what was synced: the bytes of each file, and the names in the folder. */
  readonly cut: () => Disk
  /** Two for each line that is no note: what a cut then could leave, without and with the names that were not synced. */
  readonly cuts: readonly Disk[]
}

type State = {
  readonly folder: string
  readonly log: string[]
  readonly cuts: Disk[]
  readonly contents: Map<string, Buffer>
  names: ReadonlyMap<string, string>
}

/** A caller that does not wait for a sync goes on long before so many turns have passed. */
const SYNC_TURNS = 5
/** The part of a temporary name that chance chose. */
const CHANCE = /\.[0-9a-f]{16}(?=\.)/g

let recorded: State | undefined

/**
 * Records what this process does to the files in `folder`, to the end of the test. What lies there is on the disk. The
 * module must be imported before those that it watches: some keep the functions that they find.
 */
export function recordFolder(folder: string): Recorder {
  const state: State = { folder, log: [], cuts: [], contents: new Map(), names: new Map() }
  state.names = namesIn(folder)
  for (const [name, id] of state.names) state.contents.set(id, fs.readFileSync(join(folder, name)))
  recorded = state
  onTestFinished(() => {
    recorded = undefined
  })
  const { log, cuts } = state
  return { log, cuts, note: (line) => log.push(line), cut: () => left(state, state.names) }
}

/** The folder as it is after the power has come back. */
export function putBack(disk: Disk, folder: string): void {
  for (const [name, bytes] of disk) fs.writeFileSync(join(folder, name), bytes, { mode: 0o600 })
}

function left({ contents }: State, names: ReadonlyMap<string, string>): Disk {
  return new Map([...names].map(([name, id]) => [name, contents.get(id) ?? Buffer.alloc(0)]))
}

function namesIn(folder: string): Map<string, string> {
  const files = fs.readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(files.map(({ name }) => [name, idOf(fs.lstatSync(join(folder, name), { bigint: true }))]))
}

function idOf({ dev, ino }: fs.BigIntStats): string {
  return `${dev}:${ino}`
}

function happened(state: State, line: string): void {
  const masked = line.replaceAll(CHANCE, "")
  if (state.log.at(-1) === masked) return
  state.log.push(masked)
  state.cuts.push(left(state, state.names), left(state, namesIn(state.folder)))
}

/** The recorded file that is open as `fd`. */
function fileOf(fd: number): { state: State; id: string; name: string } | undefined {
  const state = recorded
  if (state === undefined) return undefined
  const id = idOf(fs.fstatSync(fd, { bigint: true }))
  if (id === idOf(fs.statSync(state.folder, { bigint: true }))) return { state, id, name: "." }
  const name = [...namesIn(state.folder)].find(([, other]) => other === id)?.[0]
  return name === undefined ? undefined : { state, id, name }
}

function touched(fd: number, what: string): void {
  const file = fileOf(fd)
  if (file !== undefined) happened(file.state, `${what} ${file.name}`)
}

/** What is on the disk when the sync that begins now is done. */
function syncing(fd: number): () => void {
  const file = fileOf(fd)
  if (file === undefined) return () => undefined
  const { state, id, name } = file
  happened(state, `sync ${name}`)
  const names = namesIn(state.folder)
  const bytes = name === "." ? undefined : fs.readFileSync(join(state.folder, name))
  return () => {
    if (bytes === undefined) state.names = names
    else state.contents.set(id, bytes)
    happened(state, `synced ${name}`)
  }
}

/** Called before a file is opened; what it returns, when it is open. A new file may have a dead one's number. */
function opening(path: unknown): () => void {
  const state = recorded
  if (state === undefined || typeof path !== "string" || dirname(path) !== state.folder)
    return () => undefined
  const isNew = !fs.existsSync(path)
  return () => {
    if (!isNew) return
    state.contents.set(idOf(fs.lstatSync(path, { bigint: true })), Buffer.alloc(0))
    happened(state, `create ${basename(path)}`)
  }
}

function renamed(what: string, ...paths: readonly unknown[]): void {
  const state = recorded
  const names = paths.map(String)
  if (state === undefined || dirname(names[0] ?? "") !== state.folder) return
  happened(state, [what, ...names.map((path) => basename(path))].join(" "))
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < SYNC_TURNS; turn++) await new Promise(setImmediate)
}

const { openSync, writeSync, ftruncateSync, fsyncSync, fdatasyncSync, renameSync, rmSync, unlinkSync } = fs
Object.assign(fs, {
  openSync: (...args: Parameters<typeof openSync>) => {
    const opened = opening(args[0])
    const fd = openSync(...args)
    opened()
    return fd
  },
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
    renamed("rename", from, to)
  },
  rmSync: (...args: Parameters<typeof rmSync>) => {
    rmSync(...args)
    renamed("remove", args[0])
  },
  unlinkSync: (path: string) => {
    unlinkSync(path)
    renamed("remove", path)
  },
})

function syncNow(fd: number, sync: (fd: number) => void): void {
  const done = syncing(fd)
  sync(fd)
  done()
}

const { open, rename, link, writeFile } = promises
Object.assign(promises, {
  open: async (...args: Parameters<typeof open>) => {
    const opened = opening(args[0])
    const file = await open(...args)
    opened()
    return file
  },
  rename: async (from: string, to: string) => {
    await rename(from, to)
    renamed("rename", from, to)
  },
  link: async (from: string, to: string) => {
    await link(from, to)
    renamed("link", from, to)
  },
  writeFile: async (...args: Parameters<typeof writeFile>) => {
    const opened = opening(args[0])
    await writeFile(...args)
    opened()
  },
})

type Method = (this: FileHandle, ...args: unknown[]) => Promise<unknown>

const probe = await open(import.meta.filename, "r")
const handles = Object.getPrototypeOf(probe) as Record<string, Method>
await probe.close()

/** The methods of every file handle: an `around` knows the file before the call and after it. */
function replaceMethod(name: string, around: (file: FileHandle) => () => Promise<void> | void): void {
  const original = handles[name]
  if (original === undefined) throw new Error(`file handles have no ${name}`)
  handles[name] = async function (...args) {
    const after = around(this)
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
