import { defineConfig, mergeConfig } from "vitest/config"
import config from "./vitest.config.ts"

/** Figures that need the fixtures of the tests; never part of `npm test`. */
const bench = { ...config.test, include: ["test/bench/**/*.bench.ts"] }

export default mergeConfig({ ...config, test: undefined }, defineConfig({ test: bench }))
