import { afterAll, expect, test } from "vitest"
import { fromHex } from "../../src/crypto/bytes.ts"
import { BACKENDS, useBackend } from "../../src/crypto/nacl.ts"
import { decodeSession, encodeSession } from "../../src/session/snapshot.ts"
import frozen from "../vectors/session.json" with { type: "json" }
import { sessionVectors } from "./session-vectors.ts"

afterAll(async () => {
  await useBackend("tweetnacl")
})

test.each(BACKENDS)(
  "%s writes the frozen bundle, INIT, messages and snapshots to the byte",
  async (backend) => {
    await useBackend(backend)
    expect(sessionVectors()).toEqual(frozen)
  },
)

test("the frozen conversation includes an overtaken message, a step and a chain with its secret", () => {
  expect(frozen.bundle.bytes).toHaveLength(2 * 1402)
  expect(frozen.init.bytes).toHaveLength(2 * 4096)
  expect(frozen.steps.map((step) => `${step.by[0]} ${step.do}${step.message ?? ""}`).join(", ")).toBe(
    [
      "b seal, a open0, a seal, b open1, a seal, a seal, b open3, b seal, a open4, b open2, a seal, b open5",
      "a begin-pq, a seal, b open6, b answer-pq6, b seal, a open7, a finish-pq7, b seal, a open8, a seal, b open9, b seal",
      "a open10, a seal, b open11, a seal, a seal, b open13, b seal, a open14",
    ].join(", "),
  )
})

test("the frozen snapshots are still read", () => {
  for (const side of [frozen.snapshots.alice, frozen.snapshots.bob]) {
    const bytes = fromHex(side)
    expect(encodeSession(decodeSession(bytes)!)).toEqual(bytes)
  }
})
