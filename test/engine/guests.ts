import type { Random } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { type AnswerState, type AnswerEffect, answerStep, beginAnswer } from "../../src/pairing/answer.ts"
import { parseCode } from "../../src/pairing/code.ts"
import { decodePairing, encodePairing, type PairingMessage } from "../../src/wire/pairing.ts"
import { pairingTopic } from "../../src/wire/topics.ts"
import { openTransport, type TransportFixture } from "../transport/transport-fixture.ts"
import { until } from "../until.ts"
import type { ConnectTarget } from "../../src/transport/transport.ts"

const random: Random = systemRandom

export function readCode(carrier: string) {
  const parsed = parseCode(carrier)
  if (parsed.kind === "bad") throw new Error(parsed.why)
  return parsed.code
}

/** Mallory without a certificate, on one nameplate of a real broker: she answers codes by hand. */
export class GuestCaller {
  readonly received: PairingMessage[] = []
  readonly effects: AnswerEffect[] = []
  readonly #transport: TransportFixture
  readonly #topic: string
  #state: AnswerState | undefined
  /** False to stay silent once the owner's share is there. */
  isProving = true

  private constructor(transport: TransportFixture, topic: string) {
    this.#transport = transport
    this.#topic = topic
  }

  static async open(target: ConnectTarget, carrier: string): Promise<GuestCaller> {
    const topic = pairingTopic(readCode(carrier).nameplate)
    const caller = new GuestCaller(openTransport(target), topic)
    await caller.#transport.listen(topic, (bytes) => caller.#receive(bytes))
    return caller
  }

  /** Answers the code with these words, which may be others than its own. */
  async answer(carrier: string): Promise<void> {
    const { next, send } = beginAnswer(readCode(carrier), true, random)
    this.#state = next
    for (const bytes of send) await this.#transport.publish(this.#topic, bytes)
  }

  publish(message: PairingMessage): Promise<void> {
    return this.#transport.publish(this.#topic, encodePairing(message))
  }

  count(kind: PairingMessage["kind"]): number {
    return this.received.filter((message) => message.kind === kind).length
  }

  async has(kind: PairingMessage["kind"]): Promise<void> {
    await until(() => this.count(kind) > 0)
  }

  close(): Promise<void> {
    return this.#transport.close()
  }

  #receive(bytes: Uint8Array): void {
    const message = decodePairing(bytes)
    if (message !== undefined) this.received.push(message)
    this.#feed({ kind: "message", bytes })
  }

  #feed(event: Parameters<typeof answerStep>[1]): void {
    if (this.#state === undefined) return
    const { next, send, effect } = answerStep(this.#state, event, { now: Date.now(), random })
    this.#state = next
    for (const bytes of send) void this.#transport.publish(this.#topic, bytes)
    if (effect === undefined) return
    this.effects.push(effect)
    if (effect.kind === "keyed" && this.isProving) this.#feed({ kind: "counted" })
  }
}
