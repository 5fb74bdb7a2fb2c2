import { afterAll, expect, test } from "vitest"
import { BACKENDS, useBackend } from "../../src/crypto/nacl.ts"
import frozen from "../vectors/accounts.json" with { type: "json" }
import { makeVectors } from "./account-vectors.ts"

afterAll(async () => {
  await useBackend("tweetnacl")
})

test.each(BACKENDS)("%s writes and judges the frozen chains to the byte [A-1] [A-2]", async (backend) => {
  await useBackend(backend)
  expect(makeVectors()).toEqual(frozen)
})

test("the frozen chains are good, or refused for the reason that they name [A-11] [A-20]", () => {
  const verdicts = Object.entries(frozen.chains).map(([name, { end, refused, state }]) => [
    name,
    end,
    refused,
    state?.links ?? 0,
  ])
  expect(verdicts).toEqual([
    ["a create link", "whole", null, 1],
    ["one link of each kind", "whole", null, 4],
    ["signed by a device without the right", "whole", "signer", 2],
    ["a consent for another right", "whole", "consent", 1],
    ["a device again", "whole", "key-reused", 4],
    ["a recovery key of small order", "whole", "weak-key", 0],
    ["nobody is left", "whole", "no-device-may-change", 1],
    ["a link is missing", "whole", "number", 2],
    ["cut off", "malformed", null, 1],
    ["an unknown kind", "unknown-kind", null, 2],
  ])
})

test("of two frozen branches that of the recovery key counts [A-21] [A-22]", () => {
  const outcomes = frozen.pairs.map(({ one, other, outcome }) => `${one} ${other} ${outcome}`)
  expect(outcomes).toEqual([
    "stolen stolen unchanged",
    "stolen removal forked",
    "stolen recovered replaced",
    "removal stolen forked",
    "removal removal unchanged",
    "removal recovered replaced",
    "recovered stolen outranked",
    "recovered removal outranked",
    "recovered recovered unchanged",
  ])
})
