import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

/** Much of a story is waiting for other processes, so that two cores have work for three files at once. */
const FILES_AT_ONCE = Math.max(3, availableParallelism())

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/build.ts",
    pool: "forks",
    maxWorkers: FILES_AT_ONCE,
    // CommonJS packages as Node itself, the compiler and the bundler take them.
    deps: { interopDefault: false },
    // Real processes, Argon2id and TLS share two cores: a generous ceiling, never a verdict on speed.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: { provider: "v8", include: ["src/**/*.ts"], reporter: ["text-summary", "html"] },
  },
})
