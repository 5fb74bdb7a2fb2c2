import { writeFileSync } from "node:fs"
import { relative } from "node:path"
import { expect } from "vitest"

/** Says which test file runs, so that the mutants that any process reaches meanwhile are noted under its name. */
const note = process.env["MQTTCHAT_MUTATION_TEST_FILE"]
const { testPath } = expect.getState()
if (note !== undefined && testPath !== undefined) {
  writeFileSync(note, relative(process.cwd(), testPath).replaceAll("/", "+"))
}
