import fc from "fast-check"
import { expect, test } from "vitest"
import { concat, type HeaderKey, type RootKey } from "../../src/crypto/bytes.ts"
import { boxKeyPair } from "../../src/crypto/nacl.ts"
import { onPqFrame, startStep } from "../../src/session/pq.ts"
import { decodeSession, encodeSession } from "../../src/session/snapshot.ts"
import { startResponder } from "../../src/session/start.ts"
import type { Session } from "../../src/session/state.ts"
import {
  establishedSessions,
  flipped,
  openMessage,
  runHandshake,
  NOW,
  sealText,
  seededRandom,
} from "./session-fixture.ts"

const random = seededRandom("snapshot")

/** One session of each kind: every phase, every state of a step, with and without skipped keys. */
function allKinds(): Record<string, Session> {
  const { atAlice } = runHandshake(random)
  const agreed = {
    transcript: random(32),
    root: random(32) as RootKey,
    initiatorHeaderKey: random(32) as HeaderKey,
    responderHeaderKey: random(32) as HeaderKey,
  }
  const { alice, bob } = establishedSessions(random)
  const first = sealText(alice, "1", random)
  const second = sealText(first.next, "2", random)
  const third = sealText(second.next, "3", random)
  const listening = openMessage(bob, third.wire, NOW).next
  const started = startStep({ ...third.next, pq: { ...alice.pq, messages: 50 } }, NOW, random)!
  if (started.frame.kind !== "pq-ek") throw new Error("a step begins with a key")
  const promised = onPqFrame(listening, started.frame, NOW, random)
  if (promised.reply?.kind !== "pq-ct") throw new Error("a key is answered")
  return {
    waiting: startResponder(agreed, boxKeyPair(random)),
    "speaking first": atAlice.session,
    speaking: third.next,
    "listening, with skipped keys": listening,
    "two gaps of different dates": openMessage(
      listening,
      sealText(sealText(third.next, "4", random).next, "5", random).wire,
      NOW + 9,
    ).next,
    asked: started.next,
    promised: promised.next,
    ready: onPqFrame(started.next, promised.reply, NOW, random).next,
  }
}

test.each(Object.entries(allKinds()))("[S-50] a session that is %s comes back unchanged", (_, session) => {
  expect(decodeSession(encodeSession(session))).toEqual(session)
})

test.each(Object.entries(allKinds()))(
  "[S-50] [W-2] what decodes encodes to the same bytes: %s",
  (_, session) => {
    const bytes = encodeSession(session)
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const changed = flipped(bytes, bit)
        const read = decodeSession(changed)
        if (read !== undefined) expect(encodeSession(read)).toEqual(changed)
      }),
      { numRuns: 300 },
    )
    for (let length = 0; length < bytes.length; length += 1) {
      expect(decodeSession(bytes.subarray(0, length))).toBeUndefined()
    }
    expect(decodeSession(concat(bytes, Uint8Array.of(0)))).toBeUndefined()
  },
)

test("[S-50] an unknown version is not read", () => {
  const { alice } = establishedSessions(random)
  const bytes = encodeSession(alice)
  bytes[0] = 2
  expect(decodeSession(bytes)).toBeUndefined()
})

test("any bytes are read or refused, never a crash", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
      const read = decodeSession(bytes)
      if (read !== undefined) expect(encodeSession(read)).toEqual(bytes)
    }),
  )
})

test("a conversation goes on over a restart at every step", () => {
  let { alice, bob } = establishedSessions(random)
  const again = (session: Session) => decodeSession(encodeSession(session))!
  for (let turn = 0; turn < 40; turn += 1) {
    const lost = sealText(alice, "late", random)
    const hers = sealText(again(lost.next), `hers ${turn}`, random)
    const opened = openMessage(again(bob), hers.wire)
    expect(opened.words).toEqual([`hers ${turn}`])
    const his = sealText(again(opened.next), `his ${turn}`, random)
    const back = openMessage(again(hers.next), his.wire)
    expect(back.words).toEqual([`his ${turn}`])
    alice = again(back.next)
    bob = openMessage(again(his.next), lost.wire).next
  }
})
