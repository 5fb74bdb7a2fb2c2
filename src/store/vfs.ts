import type { Pointer, SqliteModule } from "@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs"
import { randomFillSync } from "node:crypto"
import { dirname } from "node:path"
import { isDiskFull } from "../fs/disk-fault.ts"
import type { FileSystem } from "./files.ts"

const OK = 0
const IOERR = 10
const NOTFOUND = 12
const FULL = 13
const CANTOPEN = 14
const IOERR_SHORT_READ = 522

const OPEN_CREATE = 0x4
const OPEN_WAL = 0x80000

/** A crash never harms bytes next to those being written: commits need no padding to whole sectors. */
const IOCAP_POWERSAFE_OVERWRITE = 0x1000
const SECTOR_BYTES = 4096
/** The database's name inside SQLite, which does not see the files' real names. */
export const DATABASE_NAME = "db"

type OpenFile = {
  readonly file: number
  readonly wal: boolean
  /** Its name may not be on disk yet. */
  isNew: boolean
  /** The offset of the first write since the last sync. */
  unsynced: number | undefined
  /** Where the log ends, if what lies behind could not be cut off. */
  cutAt: number | undefined
}

/**
 * SQLite's VFS: the calls of sqlite3_io_methods and sqlite3_vfs on plain files. There is one connection,
 * and the profile's lock keeps other processes away, so locks are granted. No exception may cross WebAssembly: each
 * call catches its exception, keeps it as the cause and returns SQLite's error code.
 */
export class Vfs {
  readonly name = "files"
  /** Names here are "db" and suffixes of it. */
  readonly mxPathname = 64
  readonly #module: SqliteModule
  readonly #path: string
  readonly #files: FileSystem
  readonly #open = new Map<Pointer, OpenFile>()
  #failure: unknown

  constructor(module: SqliteModule, path: string, files: FileSystem) {
    this.#module = module
    this.#path = path
    this.#files = files
  }

  /** The cause of the last failed file operation since `forgetFailure`. */
  failure(): unknown {
    return this.#failure
  }

  /** SQLite recovers from some failures itself; they must not explain a later one. */
  forgetFailure(): void {
    this.#failure = undefined
  }

  hasAsyncMethod(): boolean {
    return false
  }

  // SQLite fixes the order of the arguments, five of them.
  xOpen(_vfs: Pointer, name: Pointer, handle: Pointer, flags: number, outFlags: Pointer): number {
    if (name === 0) return CANTOPEN
    return this.#guarded(CANTOPEN, () => {
      const path = this.#realPath(name)
      const isNew = !this.#files.exists(path)
      const file = this.#files.open(path, (flags & OPEN_CREATE) !== 0)
      this.#open.set(handle, {
        file,
        wal: (flags & OPEN_WAL) !== 0,
        isNew,
        unsynced: undefined,
        cutAt: undefined,
      })
      this.#view().setInt32(outFlags, flags, true)
      return OK
    })
  }

  xClose(handle: Pointer): number {
    const open = this.#open.get(handle)
    if (open === undefined) return OK
    this.#open.delete(handle)
    return this.#guarded(IOERR, () => {
      this.#files.close(open.file)
      return OK
    })
  }

  xRead(handle: Pointer, data: Pointer, length: number, low: number, high: number): number {
    return this.#onFile(handle, ({ file }) => {
      const into = this.#module.HEAPU8.subarray(data, data + length)
      const got = this.#files.read(file, into, position(low, high))
      into.fill(0, got)
      return got === length ? OK : IOERR_SHORT_READ
    })
  }

  xWrite(handle: Pointer, data: Pointer, length: number, low: number, high: number): number {
    return this.#onFile(handle, (open) => {
      const at = position(low, high)
      this.#cutOff(open)
      this.#files.write(open.file, this.#module.HEAPU8.subarray(data, data + length), at)
      open.unsynced ??= at
      return OK
    })
  }

  xTruncate(handle: Pointer, low: number, high: number): number {
    return this.#onFile(handle, ({ file }) => {
      this.#files.truncate(file, position(low, high))
      return OK
    })
  }

  xSync(handle: Pointer): number {
    return this.#onFile(handle, (open) => {
      try {
        this.#files.sync(open.file)
        if (open.isNew) this.#files.syncFolder(dirname(this.#path))
      } catch (cause) {
        this.#discardUnsynced(open)
        throw cause
      }
      open.isNew = false
      open.unsynced = undefined
      return OK
    })
  }

  xFileSize(handle: Pointer, size: Pointer): number {
    return this.#onFile(handle, ({ file }) => {
      this.#view().setBigInt64(size, BigInt(this.#files.size(file)), true)
      return OK
    })
  }

  xDelete(_vfs: Pointer, name: Pointer, syncFolder: number): number {
    return this.#guarded(IOERR, () => {
      this.#files.remove(this.#realPath(name))
      if (syncFolder !== 0) this.#files.syncFolder(dirname(this.#path))
      return OK
    })
  }

  xAccess(_vfs: Pointer, name: Pointer, _flags: number, result: Pointer): number {
    return this.#guarded(IOERR, () => {
      this.#view().setInt32(result, this.#files.exists(this.#realPath(name)) ? 1 : 0, true)
      return OK
    })
  }

  xFullPathname(_vfs: Pointer, name: Pointer, length: number, full: Pointer): number {
    const heap = this.#module.HEAPU8
    const end = heap.indexOf(0, name) + 1
    if (end - name > length) return CANTOPEN
    heap.copyWithin(full, name, end)
    return OK
  }

  xRandomness(_vfs: Pointer, length: number, into: Pointer): number {
    randomFillSync(this.#module.HEAPU8, into, length)
    return length
  }

  xCurrentTimeInt64(_vfs: Pointer, time: Pointer): number {
    this.#view().setBigInt64(time, JULIAN_UNIX_EPOCH_MS + BigInt(Date.now()), true)
    return OK
  }

  /** SQLite asks after every failure; the cause is kept here and not passed as a number. */
  xGetLastError(): number {
    return OK
  }

  xSleep(): number {
    return OK
  }

  xLock(): number {
    return OK
  }

  xUnlock(): number {
    return OK
  }

  xCheckReservedLock(_handle: Pointer, result: Pointer): number {
    this.#view().setInt32(result, 0, true)
    return OK
  }

  xFileControl(): number {
    return NOTFOUND
  }

  xSectorSize(): number {
    return SECTOR_BYTES
  }

  xDeviceCharacteristics(): number {
    return IOCAP_POWERSAFE_OVERWRITE
  }

  /**
   * A commit whose sync failed is reported as failed. Its frames may still be whole in the log, and a later opening
   * would take them for committed, so they are cut off. SQLite writes its next frames at the same place.
   */
  #discardUnsynced(open: OpenFile): void {
    if (!open.wal || open.unsynced === undefined) return
    open.cutAt = open.unsynced
    try {
      this.#cutOff(open)
    } catch {
      // The disk refuses everything now; the failure of the sync itself is reported. The next write tries again.
    }
  }

  #cutOff(open: OpenFile): void {
    if (open.cutAt === undefined) return
    this.#files.truncate(open.file, open.cutAt)
    open.cutAt = undefined
  }

  #onFile(handle: Pointer, act: (open: OpenFile) => number): number {
    const open = this.#open.get(handle)
    return open === undefined ? IOERR : this.#guarded(IOERR, () => act(open))
  }

  #guarded(otherwise: number, act: () => number): number {
    try {
      return act()
    } catch (cause) {
      this.#failure = cause
      return isDiskFull(cause) ? FULL : otherwise
    }
  }

  #realPath(name: Pointer): string {
    return this.#path + this.#module.UTF8ToString(name).slice(DATABASE_NAME.length)
  }

  #view(): DataView {
    return new DataView(this.#module.HEAPU8.buffer)
  }
}

/** SQLite counts milliseconds from noon in Greenwich on November 24, 4714 B.C. (sqlite3_vfs, xCurrentTimeInt64). */
const JULIAN_UNIX_EPOCH_MS = 210_866_760_000_000n

/** Emscripten hands over a 64-bit integer as two signed halves. */
function position(low: number, high: number): number {
  return high * 0x1_0000_0000 + (low >>> 0)
}
