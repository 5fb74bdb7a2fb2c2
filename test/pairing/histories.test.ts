import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ANSWERS_MAX, guessesAllowed } from "../../src/pairing/guesses.ts"
import { LISTEN_MS, REPEAT_MS } from "../../src/pairing/timeouts.ts"
import { encodePairing } from "../../src/wire/pairing.ts"
import { Caller, chance, codeOf, FakeNameplate, Owner } from "./fake-nameplate.ts"

const CODES = { 2: "7-crowd-river", 3: "7-crowd-river-zoo" } as const
const WRONG = { 2: "7-crowd-rival", 3: "7-crowd-river-zone" } as const

/** What happens on a nameplate, in any order and number. */
const action = fc.oneof(
  { weight: 4, arbitrary: fc.constant("guess" as const) },
  { weight: 2, arbitrary: fc.constant("silent" as const) },
  { weight: 1, arbitrary: fc.constant("right" as const) },
  fc.constantFrom(
    "lost" as const,
    "late" as const,
    "repeated" as const,
    "forged" as const,
    "cancel" as const,
  ),
)
type Action = typeof action extends fc.Arbitrary<infer Kind> ? Kind : never

class History {
  readonly plate = new FakeNameplate()
  readonly alice: Owner
  readonly right: Caller[] = []
  readonly #words: 2 | 3

  constructor(words: 2 | 3) {
    this.#words = words
    this.alice = new Owner(this.plate, CODES[words])
    this.plate.pass(LISTEN_MS)
  }

  run(what: Action): void {
    const { plate } = this
    switch (what) {
      case "guess":
        new Caller(plate, WRONG[this.#words])
        break
      case "silent":
        new Caller(plate, CODES[this.#words]).isCounting = false
        break
      case "right":
        this.right.push(new Caller(plate, CODES[this.#words]))
        break
      case "lost":
        plate.drops = () => Math.floor(plate.now / REPEAT_MS) % 2 === 0
        break
      case "late":
        plate.drops = () => false
        plate.pass(REPEAT_MS)
        break
      case "repeated":
        for (const message of plate.published.slice(-8)) plate.publish(encodePairing(message))
        break
      case "forged":
        for (const message of plate.published.slice(-8)) {
          if (message.kind === "proof") plate.publish(encodePairing({ ...message, proof: chance(32) }))
        }
        break
      case "cancel":
        this.right.at(-1)?.feed({ kind: "cancel" })
    }
    plate.deliver()
  }
}

describe("whatever happens on a nameplate", () => {
  it.each([2, 3] as const)(
    "a code of %i words tells no more than its guesses [P-13] [P-22] [P-25]",
    (words) => {
      fc.assert(
        fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
          const history = new History(words)
          for (const what of actions) history.run(what)
          const { plate, alice, right } = history
          const kinds = alice.effects.map(({ kind }) => kind)
          const proved = kinds.filter((kind) => kind === "proved").length
          expect(proved).toBeLessThanOrEqual(1)
          const guessed = kinds.filter((kind) => kind === "guessed").length
          expect(guessed).toBeLessThan(guessesAllowed(codeOf(CODES[words])))
          expect(kinds.filter((kind) => kind === "answered").length).toBeLessThanOrEqual(ANSWERS_MAX)
          // The grant is one message, for one caller, and only after the right proof.
          const grants = plate.published.filter((message) => message.kind === "grant")
          expect(new Set(grants.map((grant) => Buffer.from(encodePairing(grant)).toString("hex"))).size).toBe(
            grants.length === 0 ? 0 : 1,
          )
          if (proved === 0) expect(grants).toEqual([])
          expect(
            right.filter(({ effects }) => effects.some(({ kind }) => kind === "proved")).length,
          ).toBeLessThanOrEqual(1)
        }),
        { numRuns: 60 },
      )
    },
  )
})
