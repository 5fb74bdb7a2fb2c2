import fc from "fast-check"
import { expect, test } from "vitest"
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/time-units.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"

/** Each history runs two engines for simulated weeks; the pure property beside engine-time.ts runs many more. */
const HISTORIES = 8
const START = 1_800_000_000_000
const TIMER_MS = DAY_MS

/** A clock that is wrong by less than a week while its machine boots cannot be told from a right one [D-107]. */
const wrongDays = fc.oneof(fc.integer({ min: 8, max: 400 }), fc.integer({ min: -400, max: -8 }))

const event = fc.oneof(
  fc.record({ kind: fc.constant("set"), by: wrongDays }),
  fc.record({ kind: fc.constant("set right"), by: fc.constant(0) }),
  fc.record({ kind: fc.constant("restart"), by: fc.constant(0) }),
  fc.record({ kind: fc.constant("suspend"), by: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ kind: fc.constant("reboot"), by: fc.integer({ min: 0, max: 30 }) }),
  fc.record({ kind: fc.constant("write"), by: fc.constant(0) }),
)

/** Bob's machine has the clock of the fixture; Alice's is always on, and right. */
class History {
  readonly fixture = new EngineFixture()
  readonly shownAt: number[] = []
  #wrongBy = 0
  #alice: TestProfile | undefined
  #bob: TestProfile | undefined

  get alice(): TestProfile {
    return this.#alice!
  }

  get bob(): TestProfile {
    return this.#bob!
  }

  async begin(): Promise<void> {
    const { clock } = this.fixture
    const right = {
      wallClock: () => START + clock.trueTime,
      uptime: () => clock.trueTime,
      boot: "always on",
    }
    this.#alice = await this.fixture.profile("alice", right)
    this.#bob = await this.fixture.profile("bob")
    await this.fixture.pair(this.alice, this.bob)
    await this.alice.client.call("timer", { contact: "bob", timerSeconds: TIMER_MS / 1000 })
    await this.write()
  }

  /** A text of each side: the second while the broker is away. */
  async write(): Promise<void> {
    const { broker, clock } = this.fixture
    await this.alice.send("bob", `to bob ${this.shownAt.length}`)
    await clock.pass(1_000)
    await this.bob.client.call("inbox", { markRead: true })
    this.shownAt.push(clock.trueTime)
    broker.close()
    await this.bob.send("alice", `to alice ${this.shownAt.length - 1}`)
    await clock.pass(1_000)
    broker.reopen()
  }

  async apply({ kind, by }: { readonly kind: string; readonly by: number }): Promise<void> {
    const { clock } = this.fixture
    if (kind === "set") this.#set(by * DAY_MS)
    if (kind === "set right") this.#set(0)
    if (kind === "suspend") clock.suspend(by * HOUR_MS)
    if (kind === "write") await this.write()
    if (kind === "restart" || kind === "reboot") await this.bob.stop()
    if (kind === "reboot") clock.reboot(by * DAY_MS)
    if (kind === "restart" || kind === "reboot") await this.bob.start()
    await clock.pass(MINUTE_MS)
  }

  /** No text of Alice's was deleted before its day was over. */
  async check(): Promise<void> {
    const texts = await this.bob.texts("alice")
    const { trueTime } = this.fixture.clock
    for (const [n, shownAt] of this.shownAt.entries())
      if (trueTime - shownAt < TIMER_MS) expect(texts).toContain(`to bob ${n}`)
  }

  #set(wrongBy: number): void {
    this.fixture.clock.jump(wrongBy - this.#wrongBy)
    this.#wrongBy = wrongBy
  }
}

test("[D-106] [D-107] no order of wrong clocks, suspensions, restarts and boots deletes early, gives up or keeps back", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 2, maxLength: 9 }), async (events) => {
      const history = new History()
      await history.begin()
      for (const each of events) {
        await history.apply(each)
        await history.check()
      }
      const { alice, bob, fixture } = history
      await fixture.clock.pass(HOUR_MS)
      const all = [...bob.events, ...alice.events]
      expect(all.filter((one) => one.kind === "receipt" && one.state === "given-up")).toEqual([])
      // What Bob wrote has reached Alice; what was shown to her did not start a timer.
      expect(await alice.texts("bob")).toEqual(history.shownAt.map((_at, n) => `to alice ${n}`))
    }),
    { numRuns: HISTORIES },
  )
})
