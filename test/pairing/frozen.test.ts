import { readFileSync } from "node:fs"
import { afterAll, expect, it } from "vitest"
import { BACKENDS, useBackend } from "../../src/crypto/nacl.ts"
import { pairingVectors } from "./frozen.ts"

const frozen = JSON.parse(
  readFileSync(new URL("../vectors/pairing.json", import.meta.url), "utf8"),
) as unknown

afterAll(async () => {
  await useBackend("tweetnacl")
})

it.each(BACKENDS)(
  "%s writes every message, link and file as the frozen bytes [P-10] [W-41] to [W-45]",
  async (backend) => {
    await useBackend(backend)
    expect(pairingVectors()).toEqual(frozen)
  },
)
