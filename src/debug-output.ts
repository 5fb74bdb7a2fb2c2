import { writeSync } from "node:fs"
import { resolve } from "node:path"
import { type Debug, NO_DEBUG } from "./debug/debug.ts"
import { openDebug, parseTopics } from "./debug/open-debug.ts"
import { openPrivateAppend } from "./fs/append-file.ts"
import type { PathsEnv } from "./paths.ts"

type LineWriter = (line: string) => void

/**
 * What MQTTCHAT_DEBUG asks for, or with `verbose` all topics: lines on stderr, or in the file that MQTTCHAT_DEBUG_FILE
 * names. Faults `usage` for an unknown topic, `config`, `io` and `disk-full` for the file.
 */
export function openDebugOutput(env: PathsEnv, verbose: boolean, openStderr: () => LineWriter): Debug {
  const topics = parseTopics(verbose ? "all" : (env["MQTTCHAT_DEBUG"] ?? ""))
  if (topics.size === 0) return NO_DEBUG
  return openDebug(topics, Date.now, writerFor(env["MQTTCHAT_DEBUG_FILE"], openStderr))
}

function writerFor(file: string | undefined, openStderr: () => LineWriter): LineWriter {
  if (file === undefined || file === "") return openStderr()
  const fd = openPrivateAppend(file)
  return (line) => appendOrDrop(fd, line)
}

/** What is watched must not end because the watching failed, as on a full disk. */
function appendOrDrop(fd: number, line: string): void {
  try {
    writeSync(fd, line)
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause)) throw cause
  }
}

/** For a process that starts in another folder. */
export function withWholeDebugPath(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const file = env["MQTTCHAT_DEBUG_FILE"]
  return file === undefined || file === "" ? env : { ...env, MQTTCHAT_DEBUG_FILE: resolve(file) }
}
