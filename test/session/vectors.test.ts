import { afterAll, expect, test } from "vitest"
import { BACKENDS, useBackend } from "../../src/crypto/nacl.ts"
import { decodeSession, encodeSession } from "../../src/session/snapshot.ts"
import frozen from "../vectors/session.json" with { type: "json" }
import { makeVectors } from "./session-vectors.ts"

afterAll(async () => {
  await useBackend("tweetnacl")
})

test.each(BACKENDS)(
  "%s writes the frozen bundle, INIT, messages and snapshots to the byte",
  async (backend) => {
    await useBackend(backend)
    expect(makeVectors()).toEqual(frozen)
  },
)

test("the frozen conversation has its declared length, and includes a step and a chain with its secret", () => {
  expect(frozen.bundle).toHaveLength(2 * 1402)
  expect(frozen.init).toHaveLength(2 * 4096)
  expect(frozen.lines.map(({ from, kind }) => `${from[0]} ${kind}`)).toEqual([
    "B hello",
    "A text",
    "A text",
    "B text",
    "A text",
    "A pq-ek",
    "B pq-ct",
    "B text",
    "A text",
    "B text",
    "A ack",
    "A text",
    "A text",
    "B text",
  ])
})

test("the frozen snapshots are still read", () => {
  for (const side of [frozen.alice, frozen.bob]) {
    const bytes = new Uint8Array(Buffer.from(side, "hex"))
    expect(encodeSession(decodeSession(bytes)!)).toEqual(bytes)
  }
})
