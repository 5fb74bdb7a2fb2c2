import { randomBytes } from "node:crypto"
import { link, open, rename, rm, writeFile, type FileHandle } from "node:fs/promises"
import { dirname } from "node:path"
import { codeOf, Fault } from "../errors.ts"
import { diskFault } from "./disk-fault.ts"
import { makeFolder } from "./private-folder.ts"
import { syncFolder } from "./sync-folder.ts"

/** Enough that two writers at once choose different names. */
const TEMPORARY_NAME_BYTES = 8
/** Only its owner may read and write it. */
const PRIVATE_MODE = 0o600

/** The contents of a file, as bytes or written piece by piece. */
type Contents = Uint8Array | AsyncIterable<Uint8Array>

/** Errors of link(2) on file systems without hard links, such as FAT and exFAT. */
const NO_LINKS = ["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"]

/**
 * Writes `contents` to a new file (0600, its directory 0700 if new). If it is interrupted, the path holds the whole file
 * or nothing; without hard links, perhaps an empty file. Faults `exists`, `disk-full`, `io`, and those of making the
 * contents.
 */
export async function createFile(path: string, contents: Contents, hardLink: Commit = link): Promise<void> {
  try {
    makeFolder(dirname(path))
    await writeAndCommit(path, { contents, mode: PRIVATE_MODE }, async (temporary) => {
      try {
        await hardLink(temporary, path)
      } catch (error) {
        if (!NO_LINKS.includes(String(codeOf(error)))) throw error
        // Reserves the name before the rename below replaces it.
        await writeFile(path, "", { flag: "wx", mode: PRIVATE_MODE })
        await rename(temporary, path)
      }
    })
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw faultOf(path, error)
    throw new Fault("exists", `${path} exists already and is never overwritten`, undefined, error)
  }
}

/**
 * Writes or replaces a file: the path holds the old bytes or the new ones, and the new ones are on the disk when this
 * resolves. Faults `disk-full` and `io`.
 */
export async function replaceFile(
  path: string,
  contents: Uint8Array | string,
  mode = PRIVATE_MODE,
): Promise<void> {
  try {
    const bytes = typeof contents === "string" ? Buffer.from(contents) : contents
    await writeAndCommit(path, { contents: bytes, mode }, rename)
  } catch (error) {
    throw faultOf(path, error)
  }
}

type Commit = (temporary: string, path: string) => Promise<void>

async function writeAndCommit(
  path: string,
  file: { readonly contents: Contents; readonly mode: number },
  commit: Commit,
): Promise<void> {
  const temporary = `${path}.${randomBytes(TEMPORARY_NAME_BYTES).toString("hex")}.new`
  try {
    await writeSynced(temporary, file)
    await commit(temporary, path)
    await syncFolder(dirname(path))
  } finally {
    await rm(temporary, { force: true })
  }
}

async function writeSynced(
  path: string,
  { contents, mode }: { readonly contents: Contents; readonly mode: number },
): Promise<void> {
  await using(await open(path, "wx", mode), async (file) => {
    for await (const part of contents instanceof Uint8Array ? [contents] : contents) {
      await file.writeFile(part)
    }
    await file.sync()
  })
}

/** Closes the file even if the work on it fails. */
export async function using<T>(file: FileHandle, work: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await work(file)
  } finally {
    await file.close()
  }
}

function faultOf(path: string, error: unknown): Fault {
  return error instanceof Fault ? error : diskFault(error, `write ${path}`, path)
}
