import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect, test } from "vitest"
import { IMPORT_POINTS } from "../../src/cli/profile/failpoint.ts"
import { FAULT_POINTS } from "../../src/engine/state/fault-points.ts"
import { REGISTRAR_POINTS } from "../../src/registrar/fault-points.ts"
import { CRASH_PROGRAM } from "../actors.ts"
import { CliFixture, INIT, PROGRAM } from "../cli/cli-fixture.ts"

const VARIABLE = "MQTTCHAT_DIE_AT"
/** Those of `wipe` hold a path after the word. */
const POINTS = [...FAULT_POINTS, ...REGISTRAR_POINTS, ...IMPORT_POINTS, "overwritten ", "removed "]

/** Everything below the folder of a program, as text. */
function textOf(program: string): string {
  const folder = dirname(program)
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  return files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1")).join("\n")
}

test("what ships has no fault points, and what crash tests run has all of them", () => {
  const [shipped, forCrashes] = [textOf(PROGRAM), textOf(CRASH_PROGRAM)]
  const inScripts = (text: string, point: string): boolean =>
    text.includes(`"${point}"`) || text.includes(`\`${point}$`)
  expect(POINTS.filter((point) => inScripts(shipped, point))).toEqual([])
  expect(shipped).not.toContain(VARIABLE)
  expect(POINTS.filter((point) => !inScripts(forCrashes, point))).toEqual([])
  expect(forCrashes).toContain(VARIABLE)
})

test("the variable of the crash tests does nothing to what ships", async () => {
  const cli = new CliFixture()
  await cli.run(INIT)
  const key = join(cli.folder, "home/alice/identity.key")
  cli.more = { [VARIABLE]: `overwritten ${key}` }
  expect(await cli.run(["--profile", "alice", "wipe", "--yes", "alice"])).toMatchObject({
    code: 0,
    signal: null,
  })
})
