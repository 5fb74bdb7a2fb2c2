import { existsSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { Fault } from "../../errors.ts"
import { takeLock } from "../../fs/lock-file.ts"
import { display, safe } from "../../wire/text.ts"
import { brokerFolders, type ProfileFile, profileFiles, listFolder } from "./profile-files.ts"
import type { Context } from "../terminal/context.ts"
import { failpointOf } from "./failpoint.ts"
import { overwriteFile, removeEmptyFolder, removeFile } from "./erase.ts"
import { askText } from "../terminal/prompts.ts"
import { cacheFolder } from "../../paths.ts"
import { shellCommand } from "../../shell-command.ts"

const FILE_SCHEMA = "mqttchat/file/1"

export type WipeOptions = {
  /** The profile's name, as confirmation. */
  readonly yes?: string
  readonly dryRun?: boolean
  readonly brokerToo?: boolean
}

/**
 * Destroys the profile on this laptop. The keys go first, so if this stops half-way, the rest cannot be decrypted and
 * the same command removes it. Faults `no-profile`, `refused`, `unavailable` if another process has the profile,
 * `usage`, `io`.
 */
export async function wipe(context: Context, options: WipeOptions): Promise<void> {
  const { paths, profile } = context
  const { brokerToo = false } = options
  const found = profileFiles(paths, brokerToo)
  if (found.length === 0 && !existsSync(paths.lock))
    throw new Fault("no-profile", `there are no files of a profile ${profile}`)
  if (options.dryRun === true) {
    for (const { path } of found) {
      if (context.out.json) context.out.record(FILE_SCHEMA, { path })
      else context.out.data(display(path))
    }
    return
  }
  await requireConsent(context, options.yes)
  context.lifetime.defer(takeExclusiveLock(paths.lock, `has the profile ${profile}`, "mqttchat daemon stop"))
  if (brokerToo)
    context.lifetime.defer(takeExclusiveLock(paths.brokerLock, "runs the broker", "Ctrl+C there"))
  // Listed again: until the lock was ours, there may have been more.
  eraseAll(context, profileFiles(paths, brokerToo))
  await context.lifetime.close()
  clearFolders(context, brokerToo)
  // Nothing in it is of the profile, but that there was one is.
  rmSync(cacheFolder(context.env), { recursive: true, force: true })
  printWhatRemains(context)
}

async function requireConsent(context: Context, yes: string | undefined): Promise<void> {
  const { profile } = context
  const message = safe`The profile ${display(profile)} will be gone for good. Type its name:`
  const typed = yes ?? (await askText(context, { message, suggested: "", flag: `--yes ${profile}` }))
  if (typed === profile) return
  throw new Fault("refused", `that is not the name of the profile ${profile}: nothing was touched`)
}

/** Fault `unavailable` that says what the other process does and how to end it. */
function takeExclusiveLock(path: string, does: string, end: string): () => void {
  const lock = takeLock(path)
  if (lock.kind === "taken") return lock.release
  const message = `another mqttchat (process ${lock.pid}) ${does}: nothing was touched`
  throw new Fault("unavailable", message, `${end}, or ${shellCommand`kill ${lock.pid}`}; then try again`)
}

function eraseAll({ out, env }: Context, found: readonly ProfileFile[]): void {
  const failpoint = failpointOf(env)
  for (const { path, isKey } of found) {
    if (isKey) {
      overwriteFile(path)
      failpoint(`overwritten ${path}`)
    }
    removeFile(path)
    failpoint(`removed ${path}`)
    if (out.json) out.report.record(FILE_SCHEMA, { path })
    else out.done(display(path))
  }
}

/** Other files in these folders are not ours and stay. */
function clearFolders({ paths, out }: Context, brokerToo: boolean): void {
  const { root, settings } = paths
  if (brokerToo) for (const folder of brokerFolders(paths)) removeEmptyFolder(folder)
  for (const folder of new Set([root, dirname(settings)])) {
    removeEmptyFolder(folder)
    for (const name of listFolder(folder)) out.warn(safe`left where it is: ${display(join(folder, name))}`)
  }
}

/** Users must not believe that they are safer than they are. */
function printWhatRemains({ out, profile }: Context): void {
  out.info(safe`the profile ${display(profile)} is destroyed on this laptop. What no command can reach:`)
  out.info(safe`  old blocks of the key file on an SSD or in a snapshot; a passphrase still locks them`)
  out.info(safe`  backups, and what your contacts have of your conversations`)
  out.info(safe`  the registration: tell the operator of your broker to run mqttchat broker revoke NAME`)
}
