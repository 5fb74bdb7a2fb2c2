import { expect, test } from "vitest"

import { CRASHING_BROKERS } from "./brokers.ts"
import { untilSettled } from "./actors.ts"
import { pairedActors, expectInvariantsBothWays } from "./faults-fixture.ts"

const CRASHES = 4
const TEXTS = 12

test.concurrent.for(CRASHING_BROKERS)(
  "%s is killed in the middle of a conversation, again and again: nothing is lost or comes twice",
  async ([, open], { onTestFinished }) => {
    const broker = await open()
    onTestFinished(broker.end)
    const [alice, bob] = await pairedActors(broker, [await broker.device(), await broker.device()])
    onTestFinished(async () => {
      await Promise.all([alice.stop(), bob.stop()])
    })
    for (let crash = 0; crash < CRASHES; crash++) {
      let back: Promise<void> | undefined
      for (let n = 0; n < TEXTS; n++) {
        if (n === TEXTS / 3) back = broker.crash()
        await Promise.all([alice.send(bob, `alice ${crash}.${n}`), bob.send(alice, `bob ${crash}.${n}`)])
      }
      await back
      // Every other time it is killed again before all has arrived.
      if (crash % 2 === 1) await untilSettled(alice, bob)
    }
    await untilSettled(alice, bob)
    await expectInvariantsBothWays(alice, bob)
    expect(alice.promised).toHaveLength(1 + CRASHES * TEXTS)
  },
)
