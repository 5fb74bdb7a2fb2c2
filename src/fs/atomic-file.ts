import { randomBytes } from "node:crypto"
import { link, mkdir, open, rename, rm, writeFile, type FileHandle } from "node:fs/promises"
import { dirname } from "node:path"
import { codeOf, Fault } from "../errors.ts"
import { diskFault } from "./disk-fault.ts"
import { syncFolder } from "./sync-folder.ts"

/** Room for two writers at once to choose different names. */
const TEMPORARY_NAME_BYTES = 8
/** For its owner's eyes only. */
const PRIVATE_MODE = 0o600

/** What a file is to hold, at once or as it is made. */
type Contents = Uint8Array | AsyncIterable<Uint8Array>

/** What link(2) says where the file system has no hard links, as FAT and exFAT have none. */
const NO_LINKS = ["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"]

/**
 * Puts `contents` (0600, its directory 0700 if new) where no file is yet. Whatever stops it half-way, the path
 * holds the whole file or nothing; without hard links, perhaps an empty file. Fault `exists`, `disk-full` or `io`, and
 * whatever making the contents throws.
 */
export async function createFile(path: string, contents: Contents, hardLink: Commit = link): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeAndCommit(path, { contents, mode: PRIVATE_MODE }, async (temporary) => {
      try {
        await hardLink(temporary, path)
      } catch (error) {
        if (!NO_LINKS.includes(String(codeOf(error)))) throw error
        // The name is ours before anything takes its place.
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
 * Puts `contents` in the place of what is there, if anything is: the path holds the old bytes or the new ones, and
 * the new ones are on the disk when this resolves. Fault `disk-full` or `io`.
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

/** Closes the file whatever becomes of the work on it. */
export async function using<T>(file: FileHandle, work: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await work(file)
  } finally {
    await file.close()
  }
}

function faultOf(path: string, error: unknown): Fault {
  return error instanceof Fault ? error : diskFault(error, `write ${path}`)
}
