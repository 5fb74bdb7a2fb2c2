import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

/** Much of a story is waiting for other processes, so that two cores have work for three files at once. */
const FILES_AT_ONCE = Math.max(3, availableParallelism())

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/build.ts",
    setupFiles: "test/cost.ts",
    pool: "forks",
    maxWorkers: FILES_AT_ONCE,
    // CommonJS packages as Node itself, the compiler and the bundler take them.
    deps: { interopDefault: false },
    // However busy the machine is, only what hangs reaches this. No test has a limit of its own.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    coverage: { provider: "v8", include: ["src/**/*.ts"], reporter: ["text-summary", "html"] },
  },
})
