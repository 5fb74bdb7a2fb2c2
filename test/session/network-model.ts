import type { Random } from "../../src/crypto/bytes.ts"
import { onPqFrame, startStep } from "../../src/session/pq.ts"
import { open, seal, type Refused } from "../../src/session/ratchet.ts"
import type { Session } from "../../src/session/state.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { establishedSessions, NOW, seededRandom, text, textsOf } from "./session-fixture.ts"

/** Ticks after which a message that the peer does not have is sent again, the same bytes. */
const RETRANSMIT_AFTER = 40

type SentMessage = { readonly wire: Uint8Array; sentAt: number }
type Delivery = { readonly to: Endpoint; readonly wire: Uint8Array }

/** One end of a conversation: what it sent that the peer has not read, and what it has shown. */
export type Endpoint = {
  readonly name: string
  session: Session
  sentCount: number
  readonly unacked: Map<string, SentMessage>
  readonly shown: string[]
}

/** Alice and Bob, and a network between them that loses, doubles and reorders. */
export class NetworkModel {
  readonly random: Random
  readonly alice: Endpoint
  readonly bob: Endpoint
  readonly network: Delivery[] = []
  /** Why messages were refused on arrival, and how often. */
  readonly refusals = new Map<Refused["why"], number>()
  now = 0

  constructor(seed: string) {
    this.random = seededRandom(seed)
    const { alice, bob } = establishedSessions(this.random)
    const endpoint = (name: string, session: Session): Endpoint => {
      return { name, session, sentCount: 0, unacked: new Map(), shown: [] }
    }
    this.alice = endpoint("Alice", alice)
    this.bob = endpoint("Bob", bob)
  }

  roll(sides: number): number {
    const [low = 0, high = 0] = this.random(2)
    return (low + 256 * high) % sides
  }

  peerOf(endpoint: Endpoint): Endpoint {
    return endpoint === this.alice ? this.bob : this.alice
  }

  get busy(): boolean {
    return this.alice.unacked.size + this.bob.unacked.size > 0
  }

  sendNext(endpoint: Endpoint): void {
    const started = startStep(endpoint.session, NOW, this.random)
    if (started !== undefined) {
      endpoint.session = started.next
      this.send(endpoint, [started.frame])
    }
    this.send(endpoint, text(`${endpoint.name} ${endpoint.sentCount++}`))
  }

  /** Delivers the next message, or at times any message. */
  deliver(): void {
    const [delivery] = this.network.splice(this.roll(4) === 0 ? this.roll(this.network.length) : 0, 1)
    if (delivery !== undefined) this.receive(delivery)
  }

  retransmit(): void {
    for (const endpoint of [this.alice, this.bob]) {
      for (const sent of endpoint.unacked.values()) {
        if (this.now - sent.sentAt < RETRANSMIT_AFTER) continue
        sent.sentAt = this.now
        this.network.push({ to: this.peerOf(endpoint), wire: sent.wire })
      }
    }
  }

  private receive({ to, wire }: Delivery): void {
    const opened = open(to.session, wire, NOW)
    if (opened.kind === "refused") {
      this.refusals.set(opened.why, 1 + (this.refusals.get(opened.why) ?? 0))
      return
    }
    to.session = opened.next
    to.shown.push(...textsOf(opened.frames))
    this.peerOf(to).unacked.delete(nameOf(wire))
    for (const frame of opened.frames) {
      if (frame.kind !== "pq-ek" && frame.kind !== "pq-ct") continue
      const { next, reply } = onPqFrame(to.session, frame, NOW, this.random)
      to.session = next
      if (reply !== undefined) this.send(to, [reply])
    }
  }

  private send(from: Endpoint, frames: readonly Frame[]): void {
    const sealed = seal(from.session, frames, this.random)
    if (sealed.kind === "refused") throw new Error(sealed.why)
    from.session = sealed.next
    const { wire } = sealed
    from.unacked.set(nameOf(wire), { wire, sentAt: this.now })
    const to = this.peerOf(from)
    if (this.roll(10) !== 0) this.network.push({ to, wire })
    if (this.roll(10) === 0) this.network.push({ to, wire })
  }
}

function nameOf(wire: Uint8Array): string {
  return Buffer.from(wire.subarray(0, 40)).toString("hex")
}
