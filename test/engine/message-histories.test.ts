import * as fc from "fast-check"
import { expect, test } from "vitest"

import { EngineFixture, type TestProfile } from "./engine-fixture.ts"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const RUNS = 8

/** What happens between two people, and to their frames. */
type Event =
  | { readonly kind: "send" | "crash" | "read" | "reset"; readonly by: "alice" | "bob" }
  | { readonly kind: "network"; readonly copies: readonly number[] }
  | { readonly kind: "wait"; readonly ms: number }

const by = fc.constantFrom("alice" as const, "bob" as const)
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("send" as const), by }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("crash" as const, "read" as const), by }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reset" as const), by }) },
  {
    weight: 3,
    // How often each next frame arrives: lost, once, twice.
    arbitrary: fc.record({
      kind: fc.constant("network" as const),
      copies: fc.array(fc.nat(2), { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(1, 50, 2_000, 90_000) }),
  },
)

type Couple = {
  readonly fixture: EngineFixture
  readonly people: Readonly<Record<"alice" | "bob", TestProfile>>
  readonly sent: Record<"alice" | "bob", string[]>
}

const other = (name: "alice" | "bob"): "alice" | "bob" => (name === "alice" ? "bob" : "alice")

async function happen({ fixture, people, sent }: Couple, event: Event): Promise<void> {
  switch (event.kind) {
    case "send": {
      const text = `${event.by} ${sent[event.by].length}`
      const stored = await people[event.by].send(other(event.by), text).catch(() => undefined)
      if (stored !== undefined) sent[event.by].push(text)
      return
    }
    case "crash":
      await people[event.by].crash()
      await people[event.by].start()
      return
    case "read":
      await people[event.by].client.call("inbox", { markRead: true })
      return
    case "reset":
      await people[event.by].client.call("reset", { contact: other(event.by) }).catch(() => undefined)
      return
    case "network": {
      const copies = [...event.copies]
      fixture.broker.tamper = (_topic, payload) => Array.from({ length: copies.shift() ?? 1 }, () => payload)
      return
    }
    case "wait":
      await fixture.clock.pass(event.ms)
  }
}

test(
  "[D-20] [D-60] [D-64] through losses, repetitions, crashes and new sessions each text is shown once, and no state is wrong",
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 10, maxLength: 30 }), async (events) => {
        const fixture = new EngineFixture()
        const people = { alice: await fixture.profile("alice"), bob: await fixture.profile("bob") }
        await fixture.pair(people.alice, people.bob)
        await fixture.clock.pass(50)
        const privacy = { readReceipts: true, typingIndicators: false, receiptDelayMs: 0 }
        for (const name of ["alice", "bob"] as const)
          await people[name].client.call("privacy", { contact: other(name), ...privacy })
        const couple: Couple = { fixture, people, sent: { alice: [], bob: [] } }
        for (const event of events) await happen(couple, event)
        fixture.broker.tamper = (_topic, payload) => [payload]
        await fixture.clock.pass(4 * HOUR_MS)
        for (const name of ["alice", "bob"] as const) {
          const [from, to] = [people[name], people[other(name)]]
          expect([...(await to.texts(name))].sort()).toEqual([...couple.sent[name]].sort())
          await to.client.call("inbox", { markRead: true })
          await fixture.clock.pass(2 * HOUR_MS)
          // A READ of a session that ended is not repeated: the text is only known to be delivered.
          const states = await from.states(other(name))
          expect(states).toHaveLength(couple.sent[name].length)
          expect(states.filter((state) => state !== "read" && state !== "delivered")).toEqual([])
          const shown = to.events.flatMap((event) =>
            event.kind === "message" && !event.message.mine && event.message.kind === "text"
              ? [event.message.id]
              : [],
          )
          expect(new Set(shown).size).toBe(shown.length)
        }
        for (const name of ["alice", "bob"] as const) await people[name].stop()
      }),
      { numRuns: RUNS },
    )
  },
  10 * MINUTE_MS,
)
