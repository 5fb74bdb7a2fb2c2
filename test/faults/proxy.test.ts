import fc from "fast-check"
import { describe, expect, test } from "vitest"

import { REAL_BROKERS } from "./brokers.ts"
import { injectFaults, type PacketFault } from "./packet-faults.ts"
import { PASS_THROUGH, type Interceptor, type ProxiedConnection } from "./proxy.ts"
import { untilSettled } from "./actors.ts"
import { expectInvariantsBothWays, openFaultsFixture } from "./faults-fixture.ts"
import { SEED } from "./seed.ts"

const ROUNDS = 10
const TEXTS_A_ROUND = 10
/** How long each set of faults lasts. */
const ROUND_MS = 300

/** Each fault several times; connections end only now and then, because clients wait longer each time. */
const packetFault = fc.constantFrom<PacketFault>(
  ...(["none", "none", "none", "twice", "late", "swallow", "lose", "mistake", "tamper", "truncate"] as const),
)
const faultSequence = fc.array(packetFault, { minLength: 1, maxLength: 8 })
const faultSequences = fc.array(faultSequence, { minLength: ROUNDS, maxLength: ROUNDS })

describe.concurrent.each(REAL_BROKERS)("between a client and %s", (_name, open) => {
  test.for(["instead of", "in the middle of", "after"] as const)(
    "a connection that is closed %s each packet in turn loses nothing",
    async (timing, context) => {
      const { alice, bob, proxy } = await openFaultsFixture(open, context)
      let at = 0
      for (let isOver = false; !isOver; at++) {
        await alice.stop()
        const end = endAt(at, timing)
        proxy.intercept = end.intercept
        await alice.start()
        await Promise.all([alice.send(bob, `alice ${at}`), bob.send(alice, `bob ${at}`)])
        await untilSettled(alice, bob)
        isOver = !end.isReached()
      }
      expect(at).toBeGreaterThan(8)
      await expectInvariantsBothWays(alice, bob)
    },
  )

  test(`with faults of frames and their acknowledgements, the invariants hold (seed ${SEED})`, async (context) => {
    const { alice, bob, proxy } = await openFaultsFixture(open, context)
    const rounds = fc.sample(faultSequences, { seed: SEED, numRuns: 1 })[0] ?? []
    for (const [round, faults] of rounds.entries()) {
      proxy.intercept = injectFaults(round % 4 === 3 ? [...faults, "close", ...faults, "cut"] : faults)
      for (let text = 0; text < TEXTS_A_ROUND; text++) {
        await Promise.all([
          alice.send(bob, `alice ${round}.${text}`),
          bob.send(alice, `bob ${round}.${text}`),
        ])
      }
      await new Promise((passed) => setTimeout(passed, ROUND_MS))
    }
    proxy.intercept = PASS_THROUGH
    proxy.hangUp()
    await untilSettled(alice, bob)
    await expectInvariantsBothWays(alice, bob)
  })
})

type Timing = "instead of" | "in the middle of" | "after"

/** Ends the connection at the packet with this number, counted over all connections from now on. */
function endAt(number: number, timing: Timing): { intercept: Interceptor; isReached: () => boolean } {
  const begun = new Set<ProxiedConnection>()
  let packets = 0
  let isReached = false
  const intercept: Interceptor = (side, packet, connection) => {
    if (packet.cmd === "connect") begun.add(connection)
    if (!begun.has(connection) || isReached || packets++ < number) {
      connection.send(side, packet)
      return
    }
    isReached = true
    if (timing === "in the middle of") {
      connection.cut(side, packet)
      return
    }
    if (timing === "after") connection.send(side, packet)
    setImmediate(connection.close)
  }
  return { intercept, isReached: () => isReached }
}
