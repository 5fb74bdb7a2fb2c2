import { expect, test } from "vitest"

import { runHistories } from "./histories.ts"
import { histories, ROLLBACKS } from "./history-events.ts"
import { SEED } from "./seed.ts"

const MINUTE_MS = 60_000
/** An hour, or as many minutes as `MQTTCHAT_SOAK_MINUTES` says. */
const SOAK_MS = Number(process.env["MQTTCHAT_SOAK_MINUTES"] ?? 60) * MINUTE_MS
const LENGTH = 60
/** Of one seed. A seed that fails is printed, and the next one goes on. */
const HISTORIES = 10
/** Of each round; where twenty people cross, one history takes as long as ten of two. */
const KINDS = [
  { people: 2, without: ROLLBACKS, count: HISTORIES },
  { people: 2, without: [], count: HISTORIES },
  { people: 4, without: [], count: 3 },
  { people: 20, without: [], count: 1 },
] as const

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

test(
  `after any faults all heal, nothing is lost or shown twice, and no one is alarmed (seed ${SEED})`,
  async () => {
    const until = performance.now() + SOAK_MS
    const happened = new Map<string, number>()
    const failed: string[] = []
    let count = 0
    for (let seed = SEED; performance.now() < until; seed++) {
      const kind = KINDS[seed % KINDS.length] ?? KINDS[0]
      const plan = { ...kind, histories: histories(LENGTH, kind.without) }
      try {
        for (const [event, times] of await runHistories(plan, seed))
          happened.set(event, (happened.get(event) ?? 0) + times)
        count += plan.count
      } catch (fault) {
        failed.push(`seed ${seed}, ${plan.people} people: ${String(fault)}`)
        print(failed.at(-1) ?? "")
      }
    }
    print(
      `${count} histories from seed ${SEED} on; ${[...happened].map(([event, n]) => `${event} ${n}`).join(", ")}`,
    )
    expect(failed).toEqual([])
  },
  2 * SOAK_MS + 30 * MINUTE_MS,
)
