import { lstatSync, readdirSync } from "node:fs"
import { dirname, join } from "node:path"

import { bad, good, weak } from "./finding.ts"
import type { Check, Judgement } from "./finding.ts"
import { shellCommand, shellWord } from "../../shell-command.ts"

const OTHERS = 0o077
/** A profile has some twenty files; the rest of a folder that is none is not looked at. */
const FILES_MAX = 1_000

export const FILES: Check = {
  name: "files",
  what: "who may read the profile's files",
  why: "keys and messages are sealed, but an open file tells others whom you talk to, and lets them try passphrases",
}

/** Where a profile lies. */
export type FilePaths = {
  readonly root: string
  readonly keyFile: string
  readonly database: string
  readonly settings: string
  readonly socket: string
}

/** A file or folder, and which other users may use it. */
export type FileAccess = {
  readonly path: string
  readonly isOpen: boolean
  /** It lies below a folder that others may not enter. */
  readonly isInPrivateFolder: boolean
  readonly isForeign: boolean
  /** Unix ms of its last change. */
  readonly changedAt: number
}

/** Everything of the profile that is there. */
export function listFileAccess(paths: FilePaths): readonly FileAccess[] {
  const { root, settings, socket } = paths
  const found = new Map<string, FileAccess>()
  const queue = [{ path: root, isInPrivateFolder: false }]
  for (const path of [settings, socket]) queue.push({ path, isInPrivateFolder: isClosed(dirname(path)) })
  for (let next = queue.shift(); next !== undefined && found.size < FILES_MAX; next = queue.shift()) {
    const { path, isInPrivateFolder } = next
    const stat = lstatSync(path, { throwIfNoEntry: false })
    if (stat === undefined || found.has(path)) continue
    const isForeign = process.getuid !== undefined && stat.uid !== process.getuid()
    const isOpen = (stat.mode & OTHERS) !== 0
    found.set(path, { path, isOpen, isInPrivateFolder, isForeign, changedAt: stat.mtimeMs })
    if (!stat.isDirectory() || isForeign) continue
    for (const name of readdirSync(path))
      queue.push({ path: join(path, name), isInPrivateFolder: isInPrivateFolder || !isOpen })
  }
  return [...found.values()]
}

/** What others cannot reach may be open, as certificates are; secrets are not to rely on their folder. */
export function judgeFiles(files: readonly FileAccess[], { keyFile, database }: FilePaths): Judgement {
  const foreign = files.find(({ isForeign }) => isForeign)
  if (foreign !== undefined) {
    return bad(
      "config",
      `${foreign.path} belongs to another user`,
      shellCommand`sudo chown -R "$USER" ${foreign.path}`,
    )
  }
  const secrets = [keyFile, database]
  const open = files.filter(
    ({ path, isOpen, isInPrivateFolder }) => isOpen && (!isInPrivateFolder || secrets.includes(path)),
  )
  const [first, ...more] = open
  if (first === undefined) return good("this user only")
  const found = `${first.path} is open to others${more.length > 0 ? `, and ${more.length} more` : ""}`
  const fix = ["chmod go=", ...open.map(({ path }) => shellWord(path))].join(" ")
  const isExposed = open.some(({ path, isInPrivateFolder }) => !isInPrivateFolder && secrets.includes(path))
  return isExposed ? bad("config", found, fix) : weak(found, fix)
}

function isClosed(folder: string): boolean {
  const stat = lstatSync(folder, { throwIfNoEntry: false })
  return stat !== undefined && (stat.mode & OTHERS) === 0
}
