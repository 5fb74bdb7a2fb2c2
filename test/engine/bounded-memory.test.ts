import { dirname } from "node:path"
import { rmSync } from "node:fs"
import { beforeEach, describe, expect, onTestFinished, test } from "vitest"
import type { PublicKey } from "../../src/crypto/bytes.ts"
import {
  initMid,
  isKnownInit,
  ownInitChange,
  rememberedInits,
  supersededFrames,
} from "../../src/engine/handshake/init-memory.ts"
import { retire } from "../../src/engine/handshake/retired-bundles.ts"
import { findReplay, rememberFrame } from "../../src/engine/messages/replay-cache.ts"
import { rememberWithdrawn, withdrawnBy } from "../../src/engine/messages/withdrawn-texts.ts"
import { mayTry, recentGuesses, rememberGuess, rememberTry } from "../../src/engine/pairing/rate-memory.ts"
import type { Change } from "../../src/engine/state/decision.ts"
import { apply, openState, type EngineState } from "../../src/engine/state/engine-state.ts"
import { openStore } from "../../src/store/store.ts"
import { freshPath, openBundle, outgoing, person } from "../store/store-fixture.ts"

const EVE = 1
const NOW = 1_764_000_000_000
const HOUR_MS = 3_600_000
const DAY_S = 86_400

let state: EngineState

/** What Alice keeps of Eve, who is a contact with one device. */
beforeEach(async () => {
  const path = freshPath()
  const store = await openStore(path, new Uint8Array(32))
  onTestFinished(async () => {
    await store.close()
    rmSync(dirname(path), { recursive: true })
  })
  state = openState(await store.load())
  for (const write of person(EVE, "eve")) apply(state, write as Change)
})

function applyAll(changes: readonly Change[]): void {
  for (const change of changes) apply(state, change)
}

/** `length` bytes that are those of no other number. */
function numbered(number: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

describe("what is remembered of Eve is bounded, and the oldest goes first:", () => {
  test.each(["owed", "passing"] as const)("64 frames that are %s", (kind) => {
    for (let n = 0; n < 65; n++) apply(state, rememberFrame(state, EVE, kind, numbered(n, 32)))
    expect(findReplay(state, EVE, numbered(0, 32))).toBeUndefined()
    expect(findReplay(state, EVE, numbered(1, 32))).toBe(kind)
    expect(findReplay(state, EVE, numbered(64, 32))).toBe(kind)
    expect(state.deviceParts.get(EVE)?.replayCache?.[kind]).toHaveLength(64)
  })

  test("64 INITs that may start no session [D-153]", () => {
    const init = (n: number) => numbered(n, 1_200)
    for (let n = 0; n < 65; n++) apply(state, rememberedInits(state, EVE, [initMid(init(n))]))
    expect([0, 1, 64].map((n) => isKnownInit(state, EVE, init(n)))).toEqual([false, true, true])
    expect(state.deviceParts.get(EVE)?.acceptedInits?.mids).toHaveLength(64)
  })

  test("five INITs of our own that were not answered, as many as a HELLO names [D-153]", () => {
    const init = (n: number) => numbered(n, 1_200)
    for (let n = 0; n < 6; n++) apply(state, ownInitChange(state, EVE, init(n)))
    const mids = [1, 2, 3, 4, 5].map((n) => initMid(init(n)))
    expect(supersededFrames(state, state.devices.get(EVE))).toEqual([{ kind: "superseded-inits", mids }])
  })

  test("256 texts that were cancelled and may have arrived", () => {
    for (let n = 0; n < 257; n++) {
      const record = { ...outgoing(n, EVE), mid: numbered(n, 8), carries: { id: numbered(n, 8), number: n } }
      applyAll(rememberWithdrawn(state, record))
    }
    expect(withdrawnBy(state, EVE, numbered(0, 8))).toBeUndefined()
    // Each mid still stands beside the id of its own text.
    for (const n of [1, 256]) expect(withdrawnBy(state, EVE, numbered(n, 8))).toEqual(numbered(n, 8))
    const { mids, ids } = state.deviceParts.get(EVE)!.withdrawnTexts!
    expect([mids.length, ids.length]).toEqual([256, 256])
  })

  test("32 answers to our offers within the hour; each counts for an hour [P-25]", () => {
    for (let n = 0; n < 33; n++) {
      applyAll(rememberGuess(state, { share: numbered(n, 32) as PublicKey, at: NOW }).commit)
    }
    expect(recentGuesses(state, NOW)).toBe(32)
    expect(recentGuesses(state, NOW + HOUR_MS - 1)).toBe(32)
    expect(recentGuesses(state, NOW + HOUR_MS)).toBe(0)
  })

  test("16 codes that were tried [P-25]", () => {
    const code = (n: number) => ({ nameplate: n, text: `${n}-zoo-zone` })
    const use = (n: number) => {
      let uses = 0
      for (; mayTry(state, code(n)); uses++) applyAll(rememberTry(state, code(n)).commit)
      return uses
    }
    expect(use(0)).toBeGreaterThan(0)
    for (let n = 1; n < 16; n++) use(n)
    expect(mayTry(state, code(0))).toBe(false)
    use(16)
    expect([0, 1, 16].map((n) => mayTry(state, code(n)))).toEqual([true, false, false])
  })
})

test("of bundles of ours that a handshake replaced the eight newest stay valid, for 30 days at most", () => {
  const now = NOW / 1000
  const bundles = Array.from({ length: 9 }, (_, n) => ({
    ...openBundle(EVE),
    notAfter: now + (n + 25) * DAY_S,
  }))
  const over = { ...openBundle(EVE), notAfter: now - 1 }
  const changes = retire([over, ...bundles], now)
  const closed = changes.flatMap((change) => (change.kind === "close-bundle" ? [change.tag] : []))
  expect(closed).toEqual([over.tag, bundles[0]!.tag])
  const shortened = changes.flatMap((change) => (change.kind === "open-bundle" ? [change.bundle] : []))
  expect(shortened).toEqual([8, 7, 6].map((n) => ({ ...bundles[n], notAfter: now + 30 * DAY_S })))
})
