import { toHex } from "../../src/crypto/bytes.ts"
import { onPqFrame, startStep } from "../../src/session/pq.ts"
import { open, seal } from "../../src/session/ratchet.ts"
import { encodeSession } from "../../src/session/snapshot.ts"
import type { Session } from "../../src/session/state.ts"
import type { Frame } from "../../src/wire/frame.ts"
import type { RecordedRandom } from "../recorded-random.ts"
import { frameBytes } from "../wire/frame-vectors.ts"
import { NOW } from "./session-fixture.ts"

export type Name = "alice" | "bob"

/** What happens in a conversation, in its order. Each step has the secrets that are drawn for it. */
export type Step =
  | {
      do: "seal"
      by: Name
      /** Drawn if the message begins a chain. */
      ratchetSecret?: string
      frames: string
      mid: string
      wire: string
    }
  /** `message` counts the sealed ones from 0, without the one in the INIT. */
  | { do: "open"; by: Name; message: number; now: number }
  | { do: "begin-pq"; by: Name; now: number; id: number; kemSeed: string }
  | { do: "answer-pq"; by: Name; now: number; message: number; encapsulation: string }
  | { do: "finish-pq"; by: Name; message: number }

/** Both sides of a conversation, and what they did. */
export class RecordedConversation {
  readonly steps: Step[] = []
  readonly #sessions: Record<Name, Session>
  readonly #wires: Uint8Array[] = []
  readonly #recorded: RecordedRandom

  constructor(sessions: Record<Name, Session>, recorded: RecordedRandom) {
    this.#sessions = { ...sessions }
    this.#recorded = recorded
  }

  write(by: Name, ...frames: readonly Frame[]): number {
    const begins = this.#sessions[by].kind === "listening"
    const sealed = seal(this.#sessions[by], frames, this.#recorded.random)
    if (sealed.kind === "refused") throw new Error(sealed.why)
    this.#sessions[by] = sealed.next
    const drawn = begins ? { ratchetSecret: this.#recorded.take(1)[0]! } : {}
    const [mid, wire] = [toHex(sealed.mid), toHex(sealed.wire)]
    this.steps.push({ do: "seal", by, ...drawn, frames: frameBytes(frames), mid, wire })
    return this.#wires.push(sealed.wire) - 1
  }

  /** The id of a sealed message. */
  midOf(message: number): string {
    return this.steps.flatMap((step) => (step.do === "seal" ? [step.mid] : []))[message]!
  }

  read(by: Name, message: number): void {
    const opened = open(this.#sessions[by], this.#wires[message]!, NOW)
    if (opened.kind === "refused") throw new Error(opened.why)
    this.#sessions[by] = opened.next
    this.steps.push({ do: "open", by, message, now: NOW })
    for (const frame of opened.frames)
      if (frame.kind === "pq-ek" || frame.kind === "pq-ct") this.#applyPq(by, message, frame)
  }

  /** The other side reads at once. */
  send(by: Name, ...frames: readonly Frame[]): void {
    this.read(by === "alice" ? "bob" : "alice", this.write(by, ...frames))
  }

  beginPq(by: Name, now: number): void {
    const started = startStep(this.#sessions[by], now, this.#recorded.random)
    if (started?.frame.kind !== "pq-ek") throw new Error("no step is due")
    this.#sessions[by] = started.next
    this.steps.push({
      do: "begin-pq",
      by,
      now,
      id: started.frame.id,
      kemSeed: this.#recorded.take(1)[0]!,
    })
    this.send(by, started.frame)
  }

  #applyPq(by: Name, message: number, frame: Extract<Frame, { kind: "pq-ek" | "pq-ct" }>): void {
    const { next, reply } = onPqFrame(this.#sessions[by], frame, NOW, this.#recorded.random)
    this.#sessions[by] = next
    if (reply === undefined) {
      this.steps.push({ do: "finish-pq", by, message })
      return
    }
    const [encapsulation] = this.#recorded.take(1)
    this.steps.push({ do: "answer-pq", by, now: NOW, message, encapsulation: encapsulation! })
    this.send(by, reply)
  }

  snapshots(): Record<Name, string> {
    const { alice, bob } = this.#sessions
    return { alice: toHex(encodeSession(alice)), bob: toHex(encodeSession(bob)) }
  }
}
