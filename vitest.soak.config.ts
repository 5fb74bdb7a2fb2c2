import { randomInt } from "node:crypto"
import { defineConfig } from "vitest/config"

/** The fault schedules at length and ten thousand contacts, a quarter of an hour, and histories of faults for an hour: apart from `npm test`. */
export default defineConfig({
  test: {
    env: {
      MQTTCHAT_SOAK: "yes",
      MQTTCHAT_FAULT_SEED: process.env["MQTTCHAT_FAULT_SEED"] ?? String(randomInt(2 ** 31)),
    },
    include: [
      "test/faults/**/*.soak.ts",
      "test/session/schedule.test.ts",
      "test/scenario/many-contacts.test.ts",
    ],
    globalSetup: ["test/build.ts", "test/run-folder.ts"],
    pool: "forks",
    deps: { interopDefault: false },
    testTimeout: 1_800_000,
    hookTimeout: 600_000,
  },
})
