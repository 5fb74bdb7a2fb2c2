import { defineConfig } from "vitest/config"

/** Three nodes of RabbitMQ on one machine: minutes, so apart from `npm test`. */
export default defineConfig({
  test: {
    include: ["test/cluster/**/*.cluster.ts"],
    globalSetup: ["test/build.ts", "test/run-folder.ts"],
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
})
