import { expect, test } from "vitest"
import { Subscriptions } from "../../src/transport/subscriptions.ts"

const GRANTED = 1
const topics = Array.from({ length: 250 }, (_, n) => `mc/1/i/alice/${String(n)}`)

/** A connection that grants everything, and the topics of each SUBSCRIBE. */
function connection() {
  const packets: (readonly string[])[] = []
  return {
    packets,
    subscriber: {
      subscribe: (asked: readonly string[], onAnswer: (granted: readonly number[] | undefined) => void) => {
        packets.push(asked)
        onAnswer(asked.map(() => GRANTED))
      },
      unsubscribe: (_ended: readonly string[], onAnswer: () => void) => onAnswer(),
    },
  }
}

test("what is asked for in one turn goes out in few packets, each once and in order", async () => {
  const { packets, subscriber } = connection()
  const subscriptions = new Subscriptions()
  subscriptions.resume(subscriber)
  await Promise.all(topics.map((topic) => subscriptions.add(topic)))
  expect(packets.map(({ length }) => length)).toEqual([100, 100, 50])
  expect(packets.flat()).toEqual(topics)
})

test("what was ended in the same turn, or asked for by a new connection, is not asked for again", async () => {
  const { packets, subscriber } = connection()
  const subscriptions = new Subscriptions()
  subscriptions.resume(subscriber)
  const ended = subscriptions.add("a")
  void subscriptions.remove("a")
  await expect(ended).rejects.toThrow("was ended before")
  expect(packets).toEqual([])
  const kept = subscriptions.add("b")
  const next = connection()
  subscriptions.resume(next.subscriber)
  await kept
  expect([packets, next.packets]).toEqual([[], [["b"]]])
})
