import fc from "fast-check"
import { expect, it } from "vitest"
import { connectWithFallback, type Attempt } from "../../src/transport/version-fallback.ts"
import type { MqttVersion } from "../../src/transport/transport.ts"

const WRONG_VERSION = Object.assign(new Error("this version is not spoken here"), { code: 132 })
const REFUSED = Object.assign(new Error("not authorised"), { code: 135 })
const SILENT = new Error("closed without a word")

type Answer = "opens" | "wrong version" | "refuses" | "closes"

const ATTEMPTS: Readonly<Record<Answer, Attempt>> = {
  opens: { opened: true },
  "wrong version": { opened: false, error: WRONG_VERSION },
  refuses: { opened: false, error: REFUSED },
  closes: { opened: false, error: SILENT },
}

const answer = fc.constantFrom(...(Object.keys(ATTEMPTS) as Answer[]))
const answers = fc.record({ 4: answer, 5: answer })
const version = fc.constantFrom<MqttVersion>(4, 5)

async function connect(
  preferred: MqttVersion,
  byVersion: Readonly<Record<MqttVersion, Answer>>,
  isEnded = false,
): Promise<{ attempt: Attempt; version: MqttVersion; tried: MqttVersion[] }> {
  const tried: MqttVersion[] = []
  const result = await connectWithFallback(
    preferred,
    (mqttVersion) => {
      tried.push(mqttVersion)
      return Promise.resolve(ATTEMPTS[byVersion[mqttVersion]])
    },
    () => isEnded,
  )
  return { ...result, tried }
}

it("a broker that takes one of the two versions is reached, and that version is tried first from then on", async () => {
  await fc.assert(
    fc.asyncProperty(version, answers, async (preferred, byVersion) => {
      const other = preferred === 5 ? 4 : 5
      const [first, second] = [byVersion[preferred], byVersion[other]]
      fc.pre(first === "opens" || (first !== "refuses" && second === "opens"))
      const result = await connect(preferred, byVersion)
      expect(result.attempt.opened).toBe(true)
      expect(result.version).toBe(first === "opens" ? preferred : other)
    }),
  )
})

it("a version that did not work is not remembered, and each is tried at most once", async () => {
  await fc.assert(
    fc.asyncProperty(version, answers, async (preferred, byVersion) => {
      const result = await connect(preferred, byVersion)
      expect(new Set(result.tried).size).toBe(result.tried.length)
      expect(result.tried[0]).toBe(preferred)
      if (!result.attempt.opened) expect(result.version).toBe(preferred)
    }),
  )
})

it.each([
  { first: "closes", second: "refuses", expected: REFUSED },
  { first: "closes", second: "wrong version", expected: SILENT },
  { first: "wrong version", second: "refuses", expected: REFUSED },
  { first: "refuses", second: "opens", expected: REFUSED },
] as const)("of a broker that $first and then $second the more telling error counts", async (row) => {
  const { attempt } = await connect(5, { 5: row.first, 4: row.second })
  expect(attempt.error).toBe(row.expected)
})

it("nothing is tried again once the caller has closed", async () => {
  const { tried } = await connect(5, { 5: "closes", 4: "opens" }, true)
  expect(tried).toEqual([5])
})
