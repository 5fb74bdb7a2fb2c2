import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
} from "node:fs"
import { syncFolderNow } from "../fs/sync-folder.ts"
import { writeAllNow } from "../fs/write-all.ts"

/** The file operations under the database. Tests pass ones that fail. */
export type FileSystem = {
  /** Opens for reading and writing; makes the file (0600) if `create` is set. */
  readonly open: (path: string, create: boolean) => number
  readonly close: (file: number) => void
  /** Bytes read; fewer than asked only at the end of the file. */
  readonly read: (file: number, into: Uint8Array, position: number) => number
  /** Writes all bytes or throws. */
  readonly write: (file: number, bytes: Uint8Array, position: number) => void
  readonly truncate: (file: number, size: number) => void
  readonly size: (file: number) => number
  /** Returns only when the bytes are on the disk. */
  readonly sync: (file: number) => void
  /** The same for the names in a folder. */
  readonly syncFolder: (path: string) => void
  readonly remove: (path: string) => void
  readonly exists: (path: string) => boolean
}

export const nodeFiles: FileSystem = {
  open: (path, create) => openSync(path, constants.O_RDWR | (create ? constants.O_CREAT : 0), 0o600),
  close: closeSync,
  read: (file, into, position) => {
    let done = 0
    for (let got = -1; got !== 0 && done < into.length; done += got) {
      got = readSync(file, into, done, into.length - done, position + done)
    }
    return done
  },
  write: writeAllNow,
  truncate: ftruncateSync,
  size: (file) => fstatSync(file).size,
  sync: fdatasyncSync,
  syncFolder: syncFolderNow,
  remove: (path) => rmSync(path, { force: true }),
  exists: existsSync,
}
