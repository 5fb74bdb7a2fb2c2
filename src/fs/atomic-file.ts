import { link, mkdir, open, rename, rm, writeFile, type FileHandle } from "node:fs/promises"
import { dirname } from "node:path"
import { toHex, type Random } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"

/** Room for two writers at once to choose different names. */
const TEMPORARY_NAME_BYTES = 8

/** What a file is to hold, at once or as it is made. */
type Contents = Uint8Array | AsyncIterable<Uint8Array>

/** What link(2) says where the file system has no hard links, as FAT and exFAT have none. */
const NO_LINKS = new Set(["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"])

/**
 * Puts `contents` (0600, its directory 0700 if new) where no file is yet. Whatever stops it half-way, the path
 * holds the whole file or nothing; without hard links, perhaps an empty file. Fault `exists`, `disk-full` or `io`, and
 * whatever making the contents throws.
 */
export async function createFile(
  path: string,
  contents: Contents,
  random: Random,
  hardLink: Commit = link,
): Promise<void> {
  await writeAndCommit(path, contents, random, async (temporary) => {
    try {
      await hardLink(temporary, path)
    } catch (error) {
      if (!NO_LINKS.has(codeOf(error))) throw error
      // The name is ours before anything takes its place.
      await writeFile(path, "", { flag: "wx", mode: 0o600 })
      await rename(temporary, path)
    }
  })
}

/** The same over an existing file: the path holds the old bytes or the new ones. */
export async function replaceFile(path: string, bytes: Uint8Array, random: Random): Promise<void> {
  await writeAndCommit(path, bytes, random, rename)
}

type Commit = (temporary: string, path: string) => Promise<void>

async function writeAndCommit(
  path: string,
  contents: Contents,
  random: Random,
  commit: Commit,
): Promise<void> {
  const temporary = `${path}.${toHex(random(TEMPORARY_NAME_BYTES))}.new`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeSynced(temporary, contents)
    await commit(temporary, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    throw error instanceof Fault ? error : diskFault(path, error)
  } finally {
    await rm(temporary, { force: true })
  }
}

async function writeSynced(path: string, contents: Contents): Promise<void> {
  await using(await open(path, "wx", 0o600), async (file) => {
    for await (const part of contents instanceof Uint8Array ? [contents] : contents) {
      await file.writeFile(part)
    }
    await file.sync()
  })
}

// A new name is on disk when its directory is. Windows cannot open a directory, and needs none of this.
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return
  await using(await open(path), (directory) => directory.sync())
}

/** Closes the file whatever becomes of the work on it. */
export async function using<T>(file: FileHandle, work: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await work(file)
  } finally {
    await file.close()
  }
}

/** What an error of the file system means for whoever asked for `path`. */
export function diskFault(path: string, error: unknown): Fault {
  const code = codeOf(error)
  switch (code) {
    case "EEXIST":
      return new Fault("exists", `${path} exists already and is never overwritten`)
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new Fault("disk-full", `no room on the disk for ${path}`, "free some space and try again", error)
    default:
      return new Fault("io", `cannot use ${path}: ${code}`, undefined, error)
  }
}

/** The operating system's name for it, where it has one. */
function codeOf(error: unknown): string {
  return String(error instanceof Error && "code" in error ? error.code : error)
}
