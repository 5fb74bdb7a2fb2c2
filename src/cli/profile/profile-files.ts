import { lstatSync, readdirSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import type { ProfilePaths } from "../../paths.ts"

export type ProfileFile = {
  readonly path: string
  /** A key: without it the rest cannot be decrypted, so its bytes are overwritten, too. */
  readonly isKey: boolean
}

/**
 * The files of a profile, keys first: only what mqttchat makes, as the user may have chosen the folder. It includes what
 * dead processes left next to the locks, but not the locks themselves.
 */
export function profileFiles(paths: ProfilePaths, brokerToo: boolean): readonly ProfileFile[] {
  const { keyFile, database, settings, socket, lock, apiToken } = paths
  const own = [database, settings, socket, apiToken].flatMap(withCompanions)
  const staleFiles = withCompanions(lock).filter((path) => path !== lock)
  const broker = brokerToo ? brokerFiles(paths) : []
  const folders = brokerFolders(paths)
  const isKey = (path: string): boolean => folders.includes(dirname(path)) && path.includes("broker.key")
  return [
    ...[...withCompanions(keyFile), ...broker.filter(isKey)].map((path) => ({ path, isKey: true })),
    ...[...own, ...staleFiles, ...broker.filter((path) => !isKey(path))].map((path) => ({
      path,
      isKey: false,
    })),
  ]
}

/** That of the broker, and those that an import kept or left next to it. */
export function brokerFolders({ broker }: ProfilePaths): readonly string[] {
  return companionsOf(broker).filter(isFolder)
}

function brokerFiles(paths: ProfilePaths): readonly string[] {
  const { brokerSocket, brokerLock } = paths
  const staleFiles = withCompanions(brokerLock).filter((path) => path !== brokerLock)
  const inFolder = brokerFolders(paths).flatMap((folder) =>
    listFolder(folder).map((name) => join(folder, name)),
  )
  return [...inFolder, ...withCompanions(brokerSocket), ...staleFiles].filter((path) => !isFolder(path))
}

/** A folder in the place of a file is not ours, whatever its name. */
function withCompanions(path: string): readonly string[] {
  return companionsOf(path).filter((each) => !isFolder(each))
}

/** The file, and what is next to it and begins with its name: temporary files, copies, a database's journal. */
function companionsOf(path: string): readonly string[] {
  const name = basename(path)
  return listFolder(dirname(path))
    .filter((each) => each === name || each.startsWith(`${name}.`) || each.startsWith(`${name}-`))
    .map((each) => join(dirname(path), each))
}

export function listFolder(folder: string): readonly string[] {
  return isFolder(folder) ? readdirSync(folder) : []
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
