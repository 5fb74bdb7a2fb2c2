import { Fault } from "../errors.ts"
import type { BoxKey } from "./bytes.ts"

/** What one guess costs (RFC 9106 section 3.1). */
export type Argon2Cost = {
  readonly memoryKiB: number
  readonly iterations: number
  readonly parallelism: number
}

/** RFC 9106 section 4, second recommendation, with one lane: WASM has one thread. About a third of a second. */
export const ARGON2_COST: Argon2Cost = { memoryKiB: 65_536, iterations: 3, parallelism: 1 }

/** Tests set it, for they make hundreds of locks. The build defines it as undefined: what ships has no other cost. */
declare const TEST_ARGON2_COST: Argon2Cost | undefined

/** What a new lock costs. */
export function newLockCost(): Argon2Cost {
  return typeof TEST_ARGON2_COST === "undefined" ? ARGON2_COST : TEST_ARGON2_COST
}

/** Costs come from a file that others may have written: less is no protection, more ties up the machine. */
const BOUNDS = {
  memoryKiB: [8_192, 1_048_576],
  iterations: [1, 16],
  parallelism: [1, 4],
} as const

/** The key of a passphrase, 32 bytes; salt 16 bytes, passphrase not empty. Rejects with Fault `bad-data` out of bounds. */
export async function argon2id(passphrase: Uint8Array, salt: Uint8Array, cost: Argon2Cost): Promise<BoxKey> {
  if (!withinBounds(cost)) throw new Fault("bad-data", "the key derivation asks for an unreasonable cost")
  const wasm = await import("hash-wasm")
  const { memoryKiB: memorySize, iterations, parallelism } = cost
  const key = await wasm.argon2id({
    password: passphrase,
    salt,
    memorySize,
    iterations,
    parallelism,
    hashLength: 32,
    outputType: "binary",
  })
  return key as BoxKey
}

/** Whether a cost is one that this program would spend. */
export function withinBounds(cost: Argon2Cost): boolean {
  return (["memoryKiB", "iterations", "parallelism"] as const).every((name) => {
    const [least, most] = BOUNDS[name]
    return cost[name] >= least && cost[name] <= most
  })
}
