import { expect, test } from "vitest"
import { isInit, LateNetwork, NOTHING_HELD } from "./late-network.ts"

const MINUTE_MS = 60_000
/** Choices of what comes next that are made in every way; what is left then comes in order. */
const CHOICES = 2

/**
 * Both renew at once, and say something: every frame is held, and the broker delivers them in the order of `choices`, each
 * of which names one of those that it holds. Gives how many it could choose from, the first time that no choice is left.
 */
async function run(choices: readonly number[]): Promise<{ it: LateNetwork; open: number }> {
  const it = await LateNetwork.open()
  it.holds(() => true)
  await it.reset(it.first)
  await it.reset(it.second)
  await it.first.send(it.second.name, "from the first")
  await it.second.send(it.first.name, "from the second")
  await it.fixture.clock.pass(10)
  let open = 0
  for (let step = 0; it.held.length > 0; step++) {
    if (step === choices.length) open = it.held.length
    const [next] = it.held.splice(choices[step] ?? 0, 1)
    await it.delivers(next!)
  }
  it.holds(NOTHING_HELD)
  return { it, open }
}

async function expectHealed({ it }: { it: LateNetwork }, order: string): Promise<void> {
  await it.fixture.clock.pass(MINUTE_MS)
  const { first, second } = it
  const texts = [await first.texts(second.name), await second.texts(first.name)]
  expect([order, ...texts]).toEqual([order, ["hello", "from the second"], ["hello", "from the first"]])
  expect([order, await it.states(), it.notices()]).toEqual([order, ["established", "established"], []])
  expect([order, await it.renewals()]).toEqual([order, [1, 1]])
  expect(it.held.filter(isInit)).toEqual([])
}

test("two handshakes that cross leave one session, in whatever order their frames come [D-32] [D-153]", async () => {
  let runs = 0
  const tryFrom = async (choices: readonly number[]): Promise<void> => {
    const done = await run(choices)
    runs++
    await expectHealed(done, choices.join(" "))
    if (choices.length === CHOICES) return
    for (let next = 1; next < done.open; next++) await tryFrom([...choices, next])
    if (done.open > 1) await tryFrom([...choices, 0])
  }
  await tryFrom([])
  // A text that overtook the WELCOME, before an INIT that lost.
  await expectHealed(await run([2, 2, 0, 2]), "2 2 0 2")
  expect(runs).toBeGreaterThan(20)
})
