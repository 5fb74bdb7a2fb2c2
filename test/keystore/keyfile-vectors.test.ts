import { afterAll, expect, test } from "vitest"
import { BACKENDS, useBackend } from "../../src/crypto/nacl.ts"
import { atFullCost } from "../cost.ts"
import frozen from "../vectors/keyfile.json" with { type: "json" }
import { keyFileVectors } from "./keyfile-vectors.ts"

afterAll(async () => {
  await useBackend("tweetnacl")
})

test.each(BACKENDS)("%s writes key files as the frozen bytes [K-1] [K-5]", async (backend) => {
  atFullCost()
  await useBackend(backend)
  expect(await keyFileVectors()).toEqual(frozen)
})
