import { randomFillSync } from "node:crypto"
import type { Random } from "./bytes.ts"

/** The system's generator. Each result has memory of its own, never a piece of Buffer's shared pool. */
export const systemRandom: Random = (length) => randomFillSync(new Uint8Array(length))
