import { availableParallelism } from "node:os"
import { join } from "node:path"
import { defineConfig } from "vitest/config"

/** Tests often wait for other processes, so two cores have work for three files at once. */
const FILES_AT_ONCE = Math.max(3, availableParallelism())

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/build.ts", "test/run-folder.ts"],
    setupFiles: "test/cost.ts",
    // What one process compiles of the program, the next need not, whatever its profile.
    env: { XDG_CACHE_HOME: join(import.meta.dirname, "test/.actors/cache") },
    pool: "forks",
    maxWorkers: FILES_AT_ONCE,
    // Load CommonJS packages as Node, the compiler and the bundler do.
    deps: { interopDefault: false },
    // Only a hanging test reaches this, however busy the machine is. No test has its own limit.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    coverage: { provider: "v8", include: ["src/**/*.ts"], reporter: ["text-summary", "html"] },
  },
})
