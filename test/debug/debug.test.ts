import { describe, expect, test } from "vitest"
import type { RootKey } from "../../src/crypto/bytes.ts"
import { NO_DEBUG } from "../../src/debug/debug.ts"
import { openDebug, parseTopics } from "../../src/debug/open-debug.ts"
import { DEBUG_EVENTS, DEBUG_TOPICS } from "../../src/debug/events.ts"
import { methodIn, shortId, type ShortId } from "../../src/debug/fields.ts"

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

/** The objects that were written. */
function openLines(topics: string): { debug: typeof NO_DEBUG; lines: unknown[] } {
  const lines: unknown[] = []
  const debug = openDebug(
    parseTopics(topics),
    () => NOW,
    (line) => lines.push(JSON.parse(line)),
  )
  return { debug, lines }
}

describe("topics", () => {
  test("a list with commas, in any order and with blanks", () => {
    expect([...parseTopics("outbox, connection,")]).toEqual(["outbox", "connection"])
    expect(parseTopics("all")).toEqual(new Set(DEBUG_TOPICS))
    expect(parseTopics("").size).toBe(0)
  })

  test("one that does not exist is refused, and all are listed", () => {
    const hint = expect.stringContaining(DEBUG_TOPICS.join(", ")) as string
    expect(() => parseTopics("connection,handshaek")).toThrow(
      expect.objectContaining({
        code: "usage",
        hint,
        message: expect.stringContaining("handshaek") as string,
      }),
    )
  })
})

describe("lines", () => {
  test("a line has time, process, topic, event and the fields that are known", () => {
    const { debug, lines } = openLines("outbox")
    debug("outbox", "failed", { to: "inbox", ms: 12, code: undefined })
    debug("connection", "close", {})
    const time = "2026-01-02T03:04:05.678Z"
    const { pid } = process
    expect(lines).toEqual([
      { schema: "mqttchat/debug/1", time, pid, topic: "outbox", event: "failed", to: "inbox", ms: 12 },
    ])
  })

  test("without topics nothing is opened that could cost anything", () => {
    expect(
      openDebug(
        parseTopics(""),
        () => NOW,
        () => undefined,
      ),
    ).toBe(NO_DEBUG)
  })

  test("no field has the name of what every line has", () => {
    const names = Object.values(DEBUG_EVENTS).flatMap((events) =>
      Object.values(events).flatMap((fields) => Object.keys(fields)),
    )
    for (const name of ["schema", "time", "pid", "topic", "event"]) expect(names).not.toContain(name)
  })
})

describe("what is not safe", () => {
  const key = new Uint8Array(32).fill(7) as RootKey
  const text = "meet me at nine" as string

  test("the compiler refuses keys, texts, and fields that are not declared", () => {
    const { debug } = openLines("outbox,handshake")
    // @ts-expect-error A key is not an id.
    shortId(key)
    // @ts-expect-error Nor is text that was not made by `shortId`.
    debug("handshake", "offer", { mailbox: "00112233" })
    // @ts-expect-error A word of a list is not any text.
    debug("outbox", "publish", { to: text })
    // @ts-expect-error What is not declared cannot be said.
    debug("outbox", "publish", { text })
    expect(shortId(new Uint8Array(16).fill(0xab))).toBe("abababab")
  })

  test("a cast that went wrong still writes nothing", () => {
    const { debug, lines } = openLines("all")
    const secrets = { to: text as "inbox", mailbox: text as ShortId, bytes: Number(text) }
    debug("outbox", "publish", { ...secrets, ...{ wire: key, text } })
    const [line] = lines as [object]
    expect(Object.keys(line)).toEqual(["schema", "time", "pid", "topic", "event"])
  })

  test("a method is one of our own names, not what a caller asked for", () => {
    expect(methodIn({ send: {} }, "send")).toBe("send")
    expect(methodIn({ send: {} }, text)).toBeUndefined()
    expect(methodIn({ send: {} }, "toString")).toBeUndefined()
  })
})
