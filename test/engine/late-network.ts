import { toHex } from "../../src/crypto/bytes.ts"
import { INIT_BYTES } from "../../src/session/handshake.ts"
import { encodeIdentity } from "../../src/wire/identity.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"

type Held = { readonly to: TestProfile; readonly topic: string; readonly payload: Uint8Array }

/** Two contacts and a broker that holds frames back. When handshakes cross, that of the first counts: hers is the smaller key. */
export class LateNetwork {
  readonly fixture: EngineFixture
  readonly first: TestProfile
  readonly second: TestProfile
  /** In the order in which they were published. */
  readonly held: Held[] = []

  constructor(fixture: EngineFixture, [first, second]: readonly [TestProfile, TestProfile]) {
    this.fixture = fixture
    this.first = first
    this.second = second
  }

  static of(fixture: EngineFixture, one: TestProfile, other: TestProfile): LateNetwork {
    return new LateNetwork(fixture, keyOf(one) < keyOf(other) ? [one, other] : [other, one])
  }

  static async open(): Promise<LateNetwork> {
    const fixture = new EngineFixture()
    const [alice, bob] = [await fixture.profile("alice"), await fixture.profile("bob")]
    await fixture.pair(alice, bob)
    const it = LateNetwork.of(fixture, alice, bob)
    await it.exchange("hello")
    return it
  }

  other(than: TestProfile): TestProfile {
    return than === this.first ? this.second : this.first
  }

  /** Holds back the frames for which this is true, and lets the others through. */
  holds(which: (frame: Held) => boolean): void {
    this.fixture.broker.tamper = (topic, payload) => {
      const to = topic.includes(this.first.deviceId) ? this.first : this.second
      if (!which({ to, topic, payload })) return [payload]
      this.held.push({ to, topic, payload: new Uint8Array(payload) })
      return []
    }
  }

  /** Each frame takes this long. */
  delays(ms: number): void {
    const { broker, clock } = this.fixture
    broker.tamper = (topic, payload) => {
      clock.after(ms, () => broker.inject(topic, payload))
      return []
    }
  }

  async delivers({ topic, payload }: Held): Promise<void> {
    this.fixture.broker.inject(topic, payload)
    await this.fixture.clock.pass(50)
  }

  async reset(who: TestProfile): Promise<void> {
    await who.client.call("reset", { contact: this.other(who).name })
    await this.fixture.clock.pass(50)
  }

  /** Each says this, and so much later both have read it. */
  async exchange(text: string, ms = 100): Promise<void> {
    const { first, second, fixture } = this
    await first.send(second.name, text)
    await second.send(first.name, text)
    await fixture.clock.pass(ms)
  }

  /** The last text that either has of the other. */
  async lastTexts(): Promise<readonly (string | undefined)[]> {
    const { first, second } = this
    return [(await first.texts(second.name)).at(-1), (await second.texts(first.name)).at(-1)]
  }

  async states(): Promise<readonly string[]> {
    const both = await Promise.all([this.first, this.second].map(({ client }) => client.call("contacts", {})))
    return both.flat().map(({ state }) => state)
  }

  /** How many lines say at either that the session is a new one. */
  async renewals(): Promise<readonly number[]> {
    const { first, second } = this
    const lines = [await first.systemMessages(second.name), await second.systemMessages(first.name)]
    return lines.map((own) => own.filter((line) => line.endsWith("was renewed")).length)
  }

  notices(): readonly string[] {
    return [this.first, this.second].flatMap(({ events }) =>
      events.flatMap((event) => (event.kind === "notice" ? [event.text] : [])),
    )
  }
}

export function isInit({ payload }: Pick<Held, "payload">): boolean {
  return payload.length === INIT_BYTES
}

export const NOTHING_HELD = (): boolean => false

function keyOf({ identity }: TestProfile): string {
  return toHex(encodeIdentity(identity.public))
}
