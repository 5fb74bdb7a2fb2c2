import type { Random } from "../../src/crypto/bytes.ts"
import { onPqFrame, startStep } from "../../src/session/pq.ts"
import { open, seal, type Refused } from "../../src/session/ratchet.ts"
import type { Session } from "../../src/session/state.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { acquainted, NOW, seededRandom, text, wordsOf } from "./people.ts"

/** Ticks after which a message that the peer does not have is sent again, the same bytes. */
const RESEND_AFTER = 40

type Posted = { readonly wire: Uint8Array; postedAt: number }
type Letter = { readonly to: End; readonly wire: Uint8Array }

/** One end of a conversation: what it posted that the peer has not read, and what it has shown. */
export type End = {
  readonly name: string
  session: Session
  said: number
  readonly unread: Map<string, Posted>
  readonly shown: string[]
}

/** Alice and Bob, and a network between them that loses, doubles and reorders. */
export class World {
  readonly random: Random
  readonly alice: End
  readonly bob: End
  readonly network: Letter[] = []
  /** Why messages were refused on arrival, and how often. */
  readonly refusals = new Map<Refused["why"], number>()
  now = 0

  constructor(seed: string) {
    this.random = seededRandom(seed)
    const { alice, bob } = acquainted(this.random)
    const end = (name: string, session: Session): End => {
      return { name, session, said: 0, unread: new Map(), shown: [] }
    }
    this.alice = end("Alice", alice)
    this.bob = end("Bob", bob)
  }

  roll(sides: number): number {
    const [low = 0, high = 0] = this.random(2)
    return (low + 256 * high) % sides
  }

  peerOf(end: End): End {
    return end === this.alice ? this.bob : this.alice
  }

  get busy(): boolean {
    return this.alice.unread.size + this.bob.unread.size > 0
  }

  speak(end: End): void {
    const started = startStep(end.session, NOW, this.random)
    if (started !== undefined) {
      end.session = started.next
      this.post(end, started.frame)
    }
    this.post(end, text(`${end.name} ${end.said++}`))
  }

  /** The next letter, or at times any letter, arrives. */
  deliver(): void {
    const [letter] = this.network.splice(this.roll(4) === 0 ? this.roll(this.network.length) : 0, 1)
    if (letter !== undefined) this.arrive(letter)
  }

  resend(): void {
    for (const end of [this.alice, this.bob]) {
      for (const posted of end.unread.values()) {
        if (this.now - posted.postedAt < RESEND_AFTER) continue
        posted.postedAt = this.now
        this.network.push({ to: this.peerOf(end), wire: posted.wire })
      }
    }
  }

  private arrive({ to, wire }: Letter): void {
    const opened = open(to.session, wire, NOW)
    if (opened.kind === "refused") {
      this.refusals.set(opened.why, 1 + (this.refusals.get(opened.why) ?? 0))
      return
    }
    to.session = opened.next
    to.shown.push(...wordsOf(opened.frames))
    this.peerOf(to).unread.delete(nameOf(wire))
    for (const frame of opened.frames) {
      if (frame.kind !== "pq-ek" && frame.kind !== "pq-ct") continue
      const { next, reply } = onPqFrame(to.session, frame, this.random)
      to.session = next
      if (reply !== undefined) this.post(to, reply)
    }
  }

  private post(from: End, frame: Frame): void {
    const sealed = seal(from.session, [frame], this.random)
    if (sealed.kind === "refused") throw new Error(sealed.why)
    from.session = sealed.next
    const { wire } = sealed
    from.unread.set(nameOf(wire), { wire, postedAt: this.now })
    const to = this.peerOf(from)
    if (this.roll(10) !== 0) this.network.push({ to, wire })
    if (this.roll(10) === 0) this.network.push({ to, wire })
  }
}

function nameOf(wire: Uint8Array): string {
  return Buffer.from(wire.subarray(0, 40)).toString("hex")
}
