import { randomBytes } from "node:crypto"
import fc from "fast-check"
import { expect, test } from "vitest"
import { newestTexts, withHave } from "../../src/engine/handshake/have.ts"
import {
  HAVE_MAX,
  NAME_MAX_BYTES,
  SHORT_MID_BYTES,
  SUPERSEDED_INITS_MAX,
  type Frame,
} from "../../src/wire/frame.ts"
import { encodeFrames } from "../../src/wire/padding.ts"
import { openCommitQueue } from "../../src/engine/state/commit-queue.ts"
import { couple } from "./engine-fixture.ts"

/** The padded frames of an INIT. */
const ROOM = 2048 - 116
/** The create link of an account. */
const LINK_BYTES = 267

function helloFrames(nameBytes: number): Frame[] {
  const accountId = randomBytes(32)
  return [
    {
      kind: "hello",
      name: randomBytes(nameBytes),
      recoveryBundle: randomBytes(1402),
      ...{ accountId, length: 1, head: accountId, share: randomBytes(32) },
    },
    { kind: "chain", accountId, first: 0, links: randomBytes(LINK_BYTES) },
  ]
}

function named(frames: readonly Frame[]): readonly Uint8Array[] | undefined {
  return frames.find((frame) => frame.kind === "have")?.ids
}

test("[D-132] a contact that is forgotten while its texts are read is told of none, and nothing fails", async () => {
  const { bob } = await couple()
  const queue = await openCommitQueue(bob.store, () => Promise.resolve())
  const [device] = queue.state().devices.values()
  if (device === undefined) throw new Error("Bob knows nobody")
  const forget = () =>
    queue.run(() => ({ commit: [{ kind: "forget-contact", id: device.contact }], effects: [], result: null }))
  const newestIds = async () => {
    await forget()
    return []
  }
  expect(await newestTexts({ newestIds }, queue, device)).toBeUndefined()
  expect(await newestTexts({ newestIds }, queue, device)).toBeUndefined()
})

test("[W-72] six ids fit into an INIT with the longest name, and none is said where none is here", () => {
  const ids = Array.from({ length: HAVE_MAX }, () => randomBytes(8))
  const frames = withHave(helloFrames(NAME_MAX_BYTES), ids)
  expect(named(frames)).toEqual(ids)
  expect(encodeFrames(frames)).toHaveLength(ROOM)
  expect(named(withHave(helloFrames(NAME_MAX_BYTES), []))).toEqual([])
})

test("[W-72] beside other frames the newest are named, as many as have room; without room for one, nothing is said", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: NAME_MAX_BYTES }),
      fc.nat(20),
      fc.nat(HAVE_MAX),
      (name, more, count) => {
        const ids = Array.from({ length: count }, () => randomBytes(8))
        const before: Frame[] = helloFrames(name)
        if (more > 0) before.push({ kind: "read", ids: Array.from({ length: more }, () => randomBytes(8)) })
        const frames = withHave(before, ids)
        const used =
          3 + 1 + name + 1402 + 32 + 2 + 32 + 32 + 3 + 32 + 2 + LINK_BYTES + (more > 0 ? 4 + 8 * more : 0)
        // HAVE adds 4 and 8 for each, and a zero byte ends all.
        const room = Math.floor((ROOM - used - 1 - 4) / 8)
        const expected = room < Math.min(1, count) || room < 0 ? undefined : ids.slice(0, room)
        expect(named(frames)).toEqual(expected)
      },
    ),
  )
})

test("[W-37] as many superseded INITs as a message may name leave room for an id, with the longest name", () => {
  const ids = Array.from({ length: HAVE_MAX }, () => randomBytes(8))
  const mids = Array.from({ length: SUPERSEDED_INITS_MAX }, () => randomBytes(SHORT_MID_BYTES))
  const frames = withHave([...helloFrames(NAME_MAX_BYTES), { kind: "superseded-inits", mids }], ids)
  expect(named(frames)).toEqual(ids.slice(0, 1))
})
