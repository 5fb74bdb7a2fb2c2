import { afterAll, expect, test } from "vitest"
import { BACKENDS, useBackend } from "../../src/crypto/nacl.ts"
import frozen from "../vectors/groups.json" with { type: "json" }
import { groupVectors } from "./group-vectors.ts"

afterAll(async () => {
  await useBackend("tweetnacl")
})

test.each(BACKENDS)(
  "%s makes the frozen epochs, keys and messages to the byte [G-3] [G-20] [G-22]",
  async (backend) => {
    await useBackend(backend)
    expect(groupVectors()).toEqual(frozen)
  },
)
