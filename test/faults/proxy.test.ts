import fc from "fast-check"
import { describe, expect, test, vi } from "vitest"

import { REAL_BROKERS } from "./brokers.ts"
import { befall, type Mishap } from "./mishaps.ts"
import { FAITHFUL, type Interfere, type Passage } from "./proxy.ts"
import { untilSettled } from "./residents.ts"
import { expectBothLaws, openScene } from "./scene.ts"
import { SEED } from "./seed.ts"

// Links wait before they come back, on a machine that may be busy: a ceiling, no verdict on speed.
vi.setConfig({ testTimeout: 180_000 })

const ROUNDS = 10
const TEXTS_A_ROUND = 10
/** How long each weather lasts. */
const ROUND_MS = 300

/** Each of what can happen several times; connections end but now and then, for links wait longer each time. */
const mishap = fc.constantFrom<Mishap>(
  ...(["none", "none", "none", "twice", "late", "swallow", "lose", "mistake", "tamper", "truncate"] as const),
)
const weather = fc.array(mishap, { minLength: 1, maxLength: 8 })
const storm = fc.array(weather, { minLength: ROUNDS, maxLength: ROUNDS })

describe.concurrent.each(REAL_BROKERS)("between a client and %s", (_name, open) => {
  test.for(["instead of", "in the middle of", "after"] as const)(
    "a connection that is closed %s each packet in turn loses nothing",
    async (manner, context) => {
      const { alice, bob, proxy } = await openScene(open, context)
      let at = 0
      for (let isOver = false; !isOver; at++) {
        await alice.stop()
        const end = endAt(at, manner)
        proxy.interfere = end.interfere
        await alice.start()
        await Promise.all([alice.say(bob, `alice ${at}`), bob.say(alice, `bob ${at}`)])
        await untilSettled(alice, bob)
        isOver = !end.isReached()
      }
      expect(at).toBeGreaterThan(8)
      await expectBothLaws(alice, bob)
    },
  )

  test(`whatever happens to frames and their acknowledgements, the law holds (seed ${SEED})`, async (context) => {
    const { alice, bob, proxy } = await openScene(open, context)
    const rounds = fc.sample(storm, { seed: SEED, numRuns: 1 })[0] ?? []
    for (const [round, mishaps] of rounds.entries()) {
      proxy.interfere = befall(round % 4 === 3 ? [...mishaps, "close", ...mishaps, "cut"] : mishaps)
      for (let text = 0; text < TEXTS_A_ROUND; text++) {
        await Promise.all([alice.say(bob, `alice ${round}.${text}`), bob.say(alice, `bob ${round}.${text}`)])
      }
      await new Promise((passed) => setTimeout(passed, ROUND_MS))
    }
    proxy.interfere = FAITHFUL
    proxy.hangUp()
    await untilSettled(alice, bob)
    await expectBothLaws(alice, bob)
  })
})

type Manner = "instead of" | "in the middle of" | "after"

/** Ends the connection at the packet of this number, counted over all connections that begin from now on. */
function endAt(number: number, manner: Manner): { interfere: Interfere; isReached: () => boolean } {
  const begun = new Set<Passage>()
  let packets = 0
  let isReached = false
  const interfere: Interfere = (side, packet, passage) => {
    if (packet.cmd === "connect") begun.add(passage)
    if (!begun.has(passage) || isReached || packets++ < number) {
      passage.send(side, packet)
      return
    }
    isReached = true
    if (manner === "in the middle of") {
      passage.cut(side, packet)
      return
    }
    if (manner === "after") passage.send(side, packet)
    setImmediate(passage.close)
  }
  return { interfere, isReached: () => isReached }
}
