import { onTestFinished, vi } from "vitest"

/** The lowest cost that a file may have, so that it opens like any other: one guess takes a hundredth of a second. */
const TEST_COST = { memoryKiB: 8_192, iterations: 1, parallelism: 1 }

function lockAt(cost: typeof TEST_COST | undefined): void {
  vi.stubGlobal("TEST_ARGON2_COST", cost)
}

// Runs before each test file.
lockAt(TEST_COST)

/** Gives the locks of this test the cost of the shipped program. */
export function atFullCost(): void {
  lockAt(undefined)
  onTestFinished(() => lockAt(TEST_COST))
}
