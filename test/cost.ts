import { onTestFinished, vi } from "vitest"

/** The least that a file may ask for, so that it opens as any other: one guess takes a hundredth of a second. */
const TEST_COST = { memoryKiB: 8_192, iterations: 1, parallelism: 1 }

function lockAt(cost: typeof TEST_COST | undefined): void {
  vi.stubGlobal("TEST_ARGON2_COST", cost)
}

// Before each file of tests.
lockAt(TEST_COST)

/** The locks of this test cost what they cost in the program that ships. */
export function atFullCost(): void {
  lockAt(undefined)
  onTestFinished(() => lockAt(TEST_COST))
}
