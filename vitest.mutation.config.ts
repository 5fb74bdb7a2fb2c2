import { defineConfig, mergeConfig } from "vitest/config"
import everything from "./vitest.config.ts"

/** For scripts/mutation.mjs, which has built the program with its mutants: it is not built again for each of them. */
export default mergeConfig(
  { ...everything, test: { ...everything.test, globalSetup: "test/run-folder.ts" } },
  defineConfig({ test: { setupFiles: "test/reached-mutants.ts", maxWorkers: 1, fileParallelism: false } }),
)
