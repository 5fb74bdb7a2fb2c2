import { defineConfig } from "vitest/config"

/** The fault schedules at length: a quarter of an hour, so apart from `npm test`. */
export default defineConfig({
  test: {
    include: ["test/faults/**/*.soak.ts"],
    globalSetup: "test/build.ts",
    pool: "forks",
    deps: { interopDefault: false },
    testTimeout: 300_000,
    hookTimeout: 60_000,
  },
})
