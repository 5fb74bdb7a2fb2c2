import fc from "fast-check"
import { expect, test } from "vitest"

import { Town, type Person } from "./people.ts"

const HOUR_MS = 3_600_000

/** What can happen between two people and a broker. */
type Happening =
  | { readonly kind: "say"; readonly who: 0 | 1; readonly count: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "die"; readonly who: 0 | 1 }
  | { readonly kind: "weather"; readonly fate: readonly number[] }
  | { readonly kind: "closed"; readonly ms: number }

const who = fc.constantFrom(0 as const, 1 as const)
const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("say"), who, count: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("pass"), ms: fc.constantFrom(1, 3, 6, 100, 5_000, 40_000) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("die"), who }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("weather"),
      // Copies of one frame after the other that arrive, again and again.
      fate: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("closed"), ms: fc.constantFrom(10, 10_000) }) },
)

async function happen(
  town: Town,
  people: readonly [Person, Person],
  event: Happening,
  said: string[],
): Promise<void> {
  switch (event.kind) {
    case "say": {
      const speaker = people[event.who]
      const other = people[event.who === 0 ? 1 : 0]
      for (let n = 0; n < event.count; n++) {
        const text = `${speaker.name} ${said.length}`
        await speaker.send(other.name, text)
        said.push(text)
      }
      return
    }
    case "pass":
      return town.clock.pass(event.ms)
    case "die":
      await people[event.who].die()
      return people[event.who].start()
    case "weather": {
      let frame = 0
      town.office.meddle = (_topic, payload) =>
        Array.from({ length: event.fate[frame++ % event.fate.length] ?? 1 }, () => payload)
      return
    }
    case "closed":
      town.office.close()
      await town.clock.pass(event.ms)
      town.office.reopen()
      return
  }
}

test("whatever happens on the way, in the end every message is there once on both sides", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 5, maxLength: 40 }), async (happenings) => {
      const town = new Town()
      const people = [await town.person("alice"), await town.person("bob")] as const
      await town.pair(...people)
      const said: string[] = []
      for (const event of happenings) await happen(town, people, event, said)
      town.office.meddle = (_topic, payload) => [payload]
      await town.clock.pass(3 * HOUR_MS)
      const [alice, bob] = people
      const arrived = [...(await bob.texts("alice")), ...(await alice.texts("bob"))]
      expect(arrived.sort()).toEqual(said.sort())
      const states = [...(await alice.states("bob")), ...(await bob.states("alice"))]
      expect(states.every((state) => state === "delivered")).toBe(true)
      await Promise.all(people.map((person) => person.stop()))
    }),
    { numRuns: 12 },
  )
})
