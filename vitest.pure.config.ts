import { defineConfig } from "vitest/config"

/** The rooms that only compute, for mutation testing: no build, no processes, no long schedules. */
export default defineConfig({
  test: {
    include: [
      "test/{wire,account,pairing,session,content}/**/*.test.ts",
      "test/engine/introduction-policy.test.ts",
    ],
    exclude: ["test/session/schedule.test.ts"],
    testTimeout: 600_000,
  },
})
