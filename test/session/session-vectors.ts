import { toHex } from "../../src/crypto/bytes.ts"
import { readBundle } from "../../src/session/bundle.ts"
import { initiate, linkPsk, MODE, respond } from "../../src/session/handshake.ts"
import { onPqFrame, startStep } from "../../src/session/pq.ts"
import { seal } from "../../src/session/ratchet.ts"
import { encodeSession } from "../../src/session/snapshot.ts"
import type { Session } from "../../src/session/state.ts"
import type { Frame } from "../../src/wire/frame.ts"
import {
  bundleOf,
  openMessage,
  hello,
  inbox,
  NOW,
  newIdentity,
  seededRandom,
  text,
} from "./session-fixture.ts"

export type MessageVector = { from: "Alice" | "Bob"; kind: string; mid: string; wire: string }
export type SessionVectors = {
  bundle: string
  init: string
  sas: string
  recoverySecret: string
  lines: MessageVector[]
  alice: string
  bob: string
}

/**
 * A whole conversation from counted randomness: bundle, INIT, WELCOME, ten texts in turns, of which one
 * is overtaken and one is lost, and one post-quantum step. Every backend must write exactly these bytes.
 */
export function makeVectors(): SessionVectors {
  const random = seededRandom("session vectors, version 1")
  const [alice, bob] = [newIdentity(random), newIdentity(random)]
  const own = bundleOf(bob, random)
  const bundle = readBundle(own.bundle.bytes, NOW)!
  const psk = linkPsk(bundle.hash)
  const frames = [hello("Alice", alice, random)]
  const initiation = { identity: alice, inbox: inbox(random), bundle, psk, mode: MODE.link, frames }
  const initiated = initiate(initiation, random)
  if (initiated.kind === "refused") throw new Error(initiated.why)
  const accepted = respond({ identity: bob, open: own, psk, mode: MODE.link }, initiated.init)
  if (accepted.kind === "refused") throw new Error(accepted.why)

  const lines: MessageVector[] = []
  const sessions = { Alice: initiated.established.session, Bob: accepted.established.session }
  const write = (from: MessageVector["from"], ...frames: [Frame, ...Frame[]]) => {
    const sealed = seal(sessions[from], frames, random)
    if (sealed.kind === "refused") throw new Error(sealed.why)
    sessions[from] = sealed.next
    lines.push({ from, kind: frames[0].kind, mid: toHex(sealed.mid), wire: toHex(sealed.wire) })
    return sealed.wire
  }
  const read = (to: MessageVector["from"], wire: Uint8Array) => {
    const opened = openMessage(sessions[to], wire)
    sessions[to] = opened.next
    for (const frame of opened.frames) {
      if (frame.kind !== "pq-ek" && frame.kind !== "pq-ct") continue
      const { next, reply } = onPqFrame(sessions[to], frame, random)
      sessions[to] = next
      if (reply !== undefined) read(to === "Alice" ? "Bob" : "Alice", write(to, reply))
    }
  }

  read("Alice", write("Bob", hello("Bob", bob, random)))
  const one = write("Alice", ...text("one"))
  const two = write("Alice", ...text("two"))
  read("Bob", two)
  read("Alice", write("Bob", ...text("three")))
  read("Bob", one)
  read("Bob", write("Alice", ...text("four, a little longer ".repeat(20))))
  const started = startStep(sessions.Alice, NOW + 48 * 3600, random)!
  sessions.Alice = started.next
  read("Bob", write("Alice", started.frame))
  read("Alice", write("Bob", ...text("five")))
  read("Bob", write("Alice", ...text("six, with the secret of the step")))
  read("Alice", write("Bob", ...text("seven")))
  read("Bob", write("Alice", { kind: "ack", mids: [new Uint8Array(8).fill(7)] }))
  write("Alice", ...text("eight, still on its way"))
  read("Bob", write("Alice", ...text("nine, which overtakes it")))
  read("Alice", write("Bob", ...text("ten")))
  return {
    bundle: toHex(own.bundle.bytes),
    init: toHex(initiated.init),
    sas: toHex(accepted.established.sas),
    recoverySecret: toHex(accepted.established.recoverySecret),
    lines,
    alice: snapshot(sessions.Alice),
    bob: snapshot(sessions.Bob),
  }
}

function snapshot(session: Session): string {
  return toHex(encodeSession(session))
}
