import { createInterface } from "node:readline"
import { createVitest } from "vitest/node"

/**
 * Started in the tree with the mutants. Runs each test file that a line of stdin names in a process of its own, and
 * answers with a line; vitest, its configuration and what it compiled stay, for they cost more than most files.
 */
const vitest = await createVitest("test", {
  config: "vitest.mutation.config.ts",
  watch: false,
  bail: 1,
  reporters: [{}],
})
await vitest.standalone()
for await (const file of createInterface({ input: process.stdin })) {
  // What failed for the mutant before would end this run at once.
  vitest.state.filesMap.clear()
  vitest.state.idMap.clear()
  const began = performance.now()
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specificationOf(file)])
  const passed = unhandledErrors.length === 0 && testModules.length === 1 && testModules[0].ok()
  process.stdout.write(
    `\nmutation:${JSON.stringify({ passed, seconds: (performance.now() - began) / 1000 })}\n`,
  )
}
await vitest.close()

function specificationOf(file) {
  return vitest.getRootProject().createSpecification(`${process.cwd()}/${file}`)
}
