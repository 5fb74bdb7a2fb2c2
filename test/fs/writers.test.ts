import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"

const SOURCES = join(import.meta.dirname, "../../src")
/** Functions of Node that change files. */
const CHANGES =
  /\b(?:writeFile|writeFileSync|appendFile|appendFileSync|createWriteStream|truncate|ftruncate|ftruncateSync|truncateSync|rename|renameSync|link|linkSync|symlink|symlinkSync|copyFile|copyFileSync|cpSync|rm|rmSync|unlink|unlinkSync|rmdir|rmdirSync|mkdir|mkdirSync|mkdtempSync|writeSync|fdatasyncSync|fsyncSync|openSync|open)\b/
const NODE_FS = /import \{([^}]*)\} from "node:fs(?:\/promises)?"/g

/** Where order and power cut of each file that changes the disk itself are tested. */
const TESTED: Readonly<Record<string, readonly string[]>> = {
  "broker/queues/journal-rewrite.ts": ["broker/journal-power-cut.test.ts"],
  "cli/broker/import-folder.ts": ["cli/profile-power-cut.test.ts"],
  "cli/profile/erase.ts": ["cli/erase.test.ts"],
  "cli/profile/store-files.ts": ["cli/profile-power-cut.test.ts"],
  "fs/atomic-file.ts": ["fs/writers-power-cut.test.ts", "keystore/power-cut.test.ts"],
  "fs/private-folder.ts": ["fs/writers-power-cut.test.ts"],
  "fs/set-aside.ts": ["fs/writers-power-cut.test.ts"],
  "fs/sync-folder.ts": ["fs/writers-power-cut.test.ts"],
  "fs/write-all.ts": ["broker/journal-power-cut.test.ts", "store/power-cut.test.ts"],
  "registrar/ledger.ts": ["registrar/power-cut.test.ts"],
  "store/files.ts": ["store/power-cut.test.ts"],
}

/** Why a power cut takes nothing there that anyone was promised. */
const NOTHING_PROMISED: Readonly<Record<string, string>> = {
  "broker/queues/journal-file.ts": "reads",
  "cli/broker/import.ts": "removes what an import that failed has left",
  "cli/profile/export.ts": "removes the copy of a backup that went to stdout",
  "cli/profile/wipe.ts": "removes the cache of compiled code",
  "cli/terminal/core-dump.ts": "a setting of the kernel for this process",
  "cli/terminal/input.ts": "reads",
  "cli/terminal/sink.ts": "stdout and stderr",
  "compiled-script.ts": "a cache: what is missing or damaged there is compiled again",
  "daemon/server.ts": "removes the socket of a dead process",
  "debug-output.ts": "lines to look at when something is wrong",
  "fs/append-file.ts": "opens the file of those lines",
  "fs/lock-file.ts": "no process outlives a power cut; a lock that is damaged is free",
  "keystore/sealed-file.ts": "reads",
}

function sources(): string[] {
  return readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"))
}

function changesFiles(path: string): boolean {
  const text = readFileSync(join(SOURCES, path), "utf8")
  return [...text.matchAll(NODE_FS)].some(([, names = ""]) => CHANGES.test(names))
}

test("every file of the program that changes the disk has its power cut tested, or nothing to lose", () => {
  const known = [...Object.keys(TESTED), ...Object.keys(NOTHING_PROMISED)]
  expect(sources().filter(changesFiles).sort()).toEqual(known.sort())
})

test("each of those tests records what is done to a folder", () => {
  for (const path of new Set(Object.values(TESTED).flat())) {
    expect(readFileSync(join(import.meta.dirname, "..", path), "utf8"), path).toContain("recordFolder(")
  }
})
