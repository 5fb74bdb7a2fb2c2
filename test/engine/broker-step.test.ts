import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { BROKER_TRANSITIONS, EXPLAIN_MS, RECHECK_MS } from "../../src/engine/connection/broker-state.ts"
import { BrokerStepFixture, EVENTS, JOINS, STARTS, type FixtureEvent } from "./broker-step-fixture.ts"

const JOIN_NAMES = Object.keys(JOINS) as (keyof typeof JOINS)[]
const start = fc.constantFrom(...(Object.keys(STARTS) as (keyof typeof STARTS)[]))
const anyEvent: fc.Arbitrary<FixtureEvent> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...EVENTS) },
  { weight: 1, arbitrary: fc.constantFrom(...JOIN_NAMES) },
)
const history = fc.array(anyEvent, { maxLength: 40, size: "max" })

/** A profile that has started and received these events. */
function after(from: keyof typeof STARTS, events: readonly FixtureEvent[]): BrokerStepFixture {
  const fixture = new BrokerStepFixture(from)
  fixture.happen("start")
  for (const what of events) fixture.happen(what)
  return fixture
}

function check(law: (fixture: BrokerStepFixture) => void): void {
  fc.assert(
    fc.property(start, history, (from, events) => {
      law(after(from, events))
    }),
    { numRuns: 1_000 },
  )
}

describe("in any order of events", () => {
  test("one device never has two connections, and does one piece of work at a time", () => {
    check(({ connections }) => expect(connections).toBeLessThanOrEqual(1))
  })

  test("each join has one outcome, and the profile ends up connected or with a reason why not", () => {
    check((fixture) => {
      for (let left = 50; left > 0 && (fixture.work !== undefined || fixture.openJoins > 0); left--) {
        fixture.happen("the connection is up")
        fixture.happen("the work is done")
      }
      if (fixture.state.kind === "waiting") expect(fixture.wakesIn).toBe("a pause")
      expect([fixture.work, fixture.openJoins]).toEqual([undefined, 0])
      expect(["obtaining", "explaining", "reconnecting", "joining"]).not.toContain(fixture.state.kind)
    })
  })

  test("a profile that has a broker with TLS never gets one without, nor the reverse [P-28]", () => {
    check(({ brokers }) => {
      const transports = new Set(brokers.map(({ trust }) => trust.kind === "insecure"))
      expect(transports.size).toBeLessThanOrEqual(1)
    })
  })

  test("closing ends the work, the connection and every join, and nothing follows", () => {
    check((fixture) => {
      fixture.happen("close")
      expect([fixture.state.kind, fixture.connections, fixture.work, fixture.openJoins]).toEqual([
        "closed",
        0,
        undefined,
        0,
      ])
      const { length } = fixture.effects
      for (const what of ["close", ...EVENTS] as const) fixture.happen(what)
      expect(fixture.effects).toHaveLength(length)
      fixture.happen("join with an invitation")
      expect(fixture.effects.at(-1)).toMatchObject({ kind: "join-failed", why: { code: "unavailable" } })
    })
  })

  test("it is reported online only after the connection reports it", () => {
    check((fixture) => {
      const reported = fixture.effects.flatMap((effect) =>
        effect.kind === "report" ? [effect.connection] : [],
      )
      if (fixture.state.kind === "online") expect(reported.at(-1)?.kind).toBe("online")
      if (fixture.state.kind === "stopped" || fixture.state.kind === "denied")
        expect(reported.at(-1)?.kind).toBe("stopped")
    })
  })

  test("[D-170] it is tried again unless the user has to act: no broker, a registrar's refusal, another device in its place", () => {
    check(({ state, wakesIn, work, connections }) => {
      const isUsersTurn =
        state.kind === "no-broker" ||
        state.kind === "denied" ||
        (state.kind === "stopped" && state.why.code === "replaced")
      const isOpen = ["connecting", "online", "offline"].includes(state.kind) && connections === 1
      const isQueued = state.kind === "joining" && state.step.kind === "queued"
      const goesOn = isOpen || isQueued || wakesIn !== undefined || work !== undefined
      expect(goesOn).toBe(!isUsersTurn)
    })
  })

  test("[D-171] a command that asks has a try under way, or the connection is up, or the user has to act", () => {
    check((fixture) => {
      const { length } = fixture.effects
      const { kind } = fixture.state
      fixture.happen("a command asks")
      const isTrying = fixture.effects.slice(length).some((effect) => effect.kind === "trying")
      const isReplaced = fixture.state.kind === "stopped"
      const isQuiet = ["no-broker", "denied", "online", "joining", "closed"].includes(kind)
      expect(isTrying).toBe(!isQuiet && !isReplaced)
    })
  })

  test("each state is reached, by exactly the moves that are drawn", () => {
    const seen = new Set<string>()
    const lives = fc.sample(fc.tuple(start, history), { seed: 1, numRuns: 3_000 })
    for (const [from, events] of lives) for (const move of after(from, events).moves) seen.add(move)
    const drawn = Object.entries(BROKER_TRANSITIONS).flatMap(([from, moves]) =>
      Object.values(moves).map((to) => `${from} -> ${to}`),
    )
    expect([...seen].sort()).toEqual([...new Set(drawn)].sort())
  })
})

/** The kinds of what the machine wants, from there on. */
function effectsOf(fixture: BrokerStepFixture, ...events: FixtureEvent[]): string[] {
  const { length } = fixture.effects
  for (const what of events) fixture.happen(what)
  return fixture.effects.slice(length).map(({ kind }) => kind)
}

const MONTHS = ["a month passes", "a month passes", "a month passes"] as const

describe("a certificate", () => {
  test("is asked for again after a pause when the registrar did not answer", () => {
    const alice = after("invited", ["the work fails: unavailable"])
    expect(alice.effects.at(-2)).toMatchObject({ kind: "report", connection: { kind: "offline" } })
    expect(alice.wakesIn).toBe("a pause")
    expect(effectsOf(alice, "the timer rings")).toEqual(["ask"])
  })

  test("[D-170] is asked for again after something else answered on the registrar's port", () => {
    const alice = after("invited", ["the work fails: protocol"])
    expect(alice.effects.at(-2)).toMatchObject({ kind: "report", connection: { kind: "stopped" } })
    expect(effectsOf(alice, "the timer rings")).toEqual(["ask"])
  })

  test("is not asked for again after the registrar refused", () => {
    const alice = after("invited", ["the registrar refuses"])
    expect(alice.effects.at(-1)).toMatchObject({
      kind: "report",
      connection: { kind: "stopped", why: { code: "refused" } },
    })
    expect([alice.state.kind, alice.wakesIn]).toEqual(["denied", undefined])
  })

  test("is renewed over the connection when it is due, which is looked at once a day [R-6]", () => {
    const alice = after("device", ["the connection is up"])
    expect([alice.wakesIn, alice.effects.at(-1)?.kind]).toEqual([RECHECK_MS, "wake"])
    expect(effectsOf(alice, "a month passes", "the timer rings")).toEqual(["wake"])
    expect(effectsOf(alice, "a month passes", "the timer rings")).toEqual(["wake", "renew"])
    expect(effectsOf(alice, "the renewal arrives", "the timer rings")).toEqual(["wake"])
    expect(effectsOf(alice, "the connection breaks", "the work is done")).toEqual([
      "report",
      "close-connection",
      "open",
    ])
  })

  test("that has expired is renewed as a guest before the profile connects [R-6]", () => {
    const alice = new BrokerStepFixture("device")
    expect(effectsOf(alice, ...MONTHS, "start", "the work is done")).toEqual(["ask", "open"])
  })

  test("[D-170] that has expired as soon as it is made is reported, and used when the clock is set right", () => {
    const alice = new BrokerStepFixture("device")
    expect(effectsOf(alice, ...MONTHS, "start", "the work is done, with a certificate that is over")).toEqual(
      ["ask", "report", "retry"],
    )
    expect(alice.effects.at(-2)).toMatchObject({
      connection: { why: { hint: expect.stringContaining("clock") as string } },
    })
    expect(effectsOf(alice, "the clock is set right", "the timer rings")).toEqual(["open"])
  })

  test("that the broker refuses is explained by the registrar", () => {
    const alice = after("device", ["the connection is up"])
    expect(effectsOf(alice, "the broker refuses")).toEqual(["ask", "wake"])
    alice.happen("the registrar says: replaced")
    expect(alice.effects.at(-1)).toMatchObject({ connection: { kind: "stopped", why: { code: "replaced" } } })
  })

  test("is refused without a reason when the registrar does not give one within 3 seconds", () => {
    const alice = after("device", ["the broker refuses"])
    expect(alice.wakesIn).toBe(EXPLAIN_MS)
    expect(effectsOf(alice, "the timer rings", "the registrar says: replaced")).toEqual([
      "interrupt",
      "retry",
      "report",
    ])
    expect(alice.effects.at(-1)).toMatchObject({ connection: { kind: "stopped", why: { code: "refused" } } })
  })
})

describe("a refusal", () => {
  test("[D-170] is tried again after a pause if what answered did not prove to be the broker", () => {
    const alice = after("account", ["the broker speaks something else"])
    expect([alice.state.kind, alice.wakesIn]).toEqual(["stopped", "a pause"])
    expect(effectsOf(alice, "the timer rings", "the work is done")).toEqual(["close-connection", "open"])
    expect(effectsOf(alice, "the connection is up")).toEqual(["report"])
    expect(alice.state.kind).toBe("online")
  })

  test("[D-171] is tried again at once when a command asks", () => {
    const alice = after("account", ["the broker speaks something else"])
    expect(effectsOf(alice, "a command asks", "the work is done")).toEqual([
      "trying",
      "close-connection",
      "open",
    ])
  })

  test("[D-170] of our certificate is tried again, unless another device has replaced this one", () => {
    const alice = after("device", ["the broker refuses", "the registrar refuses"])
    expect([alice.state.kind, alice.wakesIn]).toEqual(["stopped", "a pause"])
    expect(effectsOf(alice, "the timer rings", "the work is done")).toEqual(["close-connection", "open"])
    const replaced = after("device", ["the broker refuses", "the registrar says: replaced"])
    expect([replaced.state.kind, replaced.wakesIn]).toEqual(["stopped", undefined])
  })
})

describe("a join", () => {
  test("is saved before the registrar is asked, and goes on after it failed", () => {
    const alice = after("nothing", [])
    expect(effectsOf(alice, "join with an invitation", "the work is done")).toEqual(["save", "ask"])
    expect(effectsOf(alice, "the work fails: unavailable")).toEqual(["join-failed", "ask"])
    expect(effectsOf(alice, "the work is done")).toEqual(["open"])
  })

  test("keeps the old connection until the new certificate and broker are on disk", () => {
    const alice = after("device", ["the connection is up"])
    const steps = ["the work is done", "the work is done", "the work is done"] as const
    expect(effectsOf(alice, "join with another invitation", ...steps)).toEqual([
      "ask",
      "save",
      "close-connection",
      "open",
      "joined",
    ])
    expect(alice.broker).toBe(JOINS["join with another invitation"].broker)
  })

  test("of another user, or with an account, is refused, and the connection goes on", () => {
    for (const join of ["join with another user's invitation", "join with an account"] as const) {
      const alice = after("device", ["the connection is up"])
      alice.happen(join)
      expect(alice.effects.at(-2)).toMatchObject({ kind: "join-failed", why: { code: "config" } })
      expect([alice.state.kind, alice.connections]).toEqual(["online", 1])
    }
  })

  test("[R-12] of the same user for another pin is refused with both pins, and the connection goes on", () => {
    const alice = after("device", ["the connection is up"])
    alice.happen("join with an invitation for another pin")
    expect(alice.effects.at(-2)).toMatchObject({ kind: "join-failed", why: { code: "usage" } })
    const { why } = alice.effects.findLast((effect) => effect.kind === "join-failed") ?? {}
    for (const pin of ["01", "02"]) expect(why?.message).toContain(pin.repeat(16))
    expect(why?.hint).toContain("mqttchat config set broker HOST --pin PIN")
    expect([alice.state.kind, alice.connections]).toEqual(["online", 1])
  })

  test("ends the request that the profile makes by itself", () => {
    const alice = after("invited", [])
    expect(effectsOf(alice, "join with an invitation", "the work fails: unavailable")).toEqual([
      "interrupt",
      "save",
    ])
  })

  test("ends the request of another one before it, but not of the same typed twice", () => {
    const alice = after("nothing", ["join with an invitation", "the work is done"])
    expect(effectsOf(alice, "join with an invitation")).toEqual([])
    expect(effectsOf(alice, "join with another invitation")).toEqual(["interrupt"])
    expect(effectsOf(alice, "the work fails: unavailable")).toEqual(["join-failed", "save"])
  })

  test("[D-177] that its command no longer waits for ends its question, and one that waits for its turn never asks", () => {
    const alice = after("nothing", ["join with an invitation", "the work is done"])
    const late = { kind: "join-expired", join: JOINS["join with an invitation"] } as const
    alice.feed({ ...late, join: { ...late.join } })
    expect(alice.effects.at(-1)?.kind).toBe("ask")
    alice.feed(late)
    expect(alice.effects.at(-1)?.kind).toBe("interrupt")
    const other = { ...JOINS["join with another invitation"] }
    alice.feed({ kind: "join", join: other })
    alice.feed({ kind: "join-expired", join: other })
    expect(alice.effects.at(-1)).toMatchObject({ kind: "join-dropped" })
  })

  test("waits for the first sign of the connection of the join before it", () => {
    const alice = after("nothing", ["join with an invitation", "join with an invitation"])
    expect(effectsOf(alice, "the work is done", "the work is done")).toEqual(["ask", "open", "joined"])
    expect(effectsOf(alice, "the connection is up")).toEqual(["report", "ask"])
  })

  test("that fails leaves a certificate that the broker refused meanwhile to be explained", () => {
    const alice = after("device", ["the connection is up", "join with another invitation"])
    expect(effectsOf(alice, "the broker refuses")).toEqual([])
    expect(effectsOf(alice, "the registrar refuses")).toEqual(["join-failed", "ask", "wake"])
  })
})
