import fc from "fast-check"
import { describe, expect, it, test } from "vitest"
import type { Message } from "../../src/engine/api.ts"
import { asciiMargins, MESSAGE_MARGIN, noteMargin } from "../../src/cli/terminal/ascii.ts"
import { displayWidth } from "../../src/cli/terminal/display-width.ts"
import { messageRow, searchRow } from "../../src/cli/terminal/message-row.ts"
import { formatTime } from "../../src/cli/terminal/format.ts"
import { wrap } from "../../src/cli/terminal/wrap.ts"

const NOON = new Date(2026, 10, 30, 12, 0).getTime()
const FROM_BOB: Message = {
  id: "0123456789abcdef",
  seq: 7,
  contact: "bob",
  contactId: 1,
  mine: false,
  kind: "text",
  text: "yes, at noon",
  sentAt: NOON,
  storedAt: NOON,
  state: "received",
  trusted: true,
  timerSeconds: 0,
  expiresAt: null,
  replyTo: null,
  editedAt: null,
  previous: [],
  deletedAt: null,
  reactions: [],
  recipients: [],
}
const QUESTION = {
  id: "0".repeat(16),
  mine: true,
  text: "are you coming on Sunday?\nI would bring the cake",
  changed: false,
}
const row = (change: Partial<Message>): string => messageRow({ ...FROM_BOB, ...change }, NOON)

describe("a message is shown with", () => {
  it("what it answers, on one row that is cut", () => {
    expect(row({ replyTo: QUESTION })).toBe(
      "12:00 bob: yes, at noon\n      > me: are you coming on Sunday?␊I would br…",
    )
    expect(row({ replyTo: { ...QUESTION, mine: false, text: "first" } })).toBe(
      "12:00 bob: yes, at noon\n      > bob: first",
    )
  })

  it("a note in place of a text that is not here or was deleted, and before one that is another", () => {
    expect(row({ replyTo: { ...QUESTION, text: null } })).toBe(
      "12:00 bob: yes, at noon\n      > (a message that is not here)",
    )
    expect(row({ replyTo: { ...QUESTION, text: "no", changed: true } })).toBe(
      "12:00 bob: yes, at noon\n      > (another text was answered) me: no",
    )
  })

  it("the note that it was edited, and on request what it said before", () => {
    const edited = { editedAt: NOON + 60_000, previous: [{ text: "yes\nat one", sentAt: NOON }] }
    expect(row(edited)).toBe("12:00 bob (edited): yes, at noon")
    expect(row({ ...edited, mine: true, state: "read" })).toBe("12:00 me (read, edited): yes, at noon")
    expect(row({ ...edited, trusted: false })).toBe("12:00 bob (KEY NOT COMPARED, edited): yes, at noon")
    expect(messageRow({ ...FROM_BOB, ...edited }, NOON, { edits: true })).toBe(
      "12:00 bob (edited): yes, at noon\n      < 12:00 yes␊at one",
    )
    expect(searchRow({ ...FROM_BOB, ...edited, mine: true, state: "read" }, NOON)).toBe(
      "12:00 me to bob (read, edited): yes, at noon",
    )
  })

  it("the reactions of both", () => {
    const reactions = [
      { emoji: "👍", mine: false, at: NOON },
      { emoji: "❤️", mine: true, at: NOON },
    ]
    expect(row({ reactions, replyTo: { ...QUESTION, text: "?" } })).toBe(
      "12:00 bob: yes, at noon\n      > me: ?\n      + 👍 bob, ❤️ me",
    )
  })

  it("nothing but the fact once it was deleted", () => {
    const deleted = {
      ...{ text: "", deletedAt: NOON, replyTo: QUESTION },
      reactions: [{ emoji: "👍", mine: false, at: NOON }],
      previous: [{ text: "secret", sentAt: NOON }],
    }
    expect(row(deleted)).toBe("12:00 -- bob deleted a message --")
    expect(row({ ...deleted, mine: true })).toBe("12:00 -- you deleted a message --")
    expect(searchRow({ ...FROM_BOB, ...deleted }, NOON)).toBe("12:00 -- bob deleted a message --")
  })
})

test("a cut quote ends in ASCII under --ascii, and a text that looks like one stays as it is", () => {
  const written = messageRow({ ...FROM_BOB, text: "a\n      > me: I owe you 100…", replyTo: QUESTION }, NOON)
  expect(asciiMargins(wrap(written, 80, MESSAGE_MARGIN))).toBe(
    "12:00 bob: a\n      |       > me: I owe you 100…\n      > me: are you coming on Sunday?␊I would br...",
  )
})

const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.string({
    unit: fc.constantFrom("\n", "\r", " ", "> ", "+ ", "< ", "│", "me: ", "\u001b[31m", "名", "x"),
  }),
)

test("no text, name or emoji of others makes a row of ours, in a window of any width", () => {
  const written = fc.record({
    text: hostile,
    contact: hostile,
    quoted: fc.option(hostile),
    emoji: hostile,
    earlier: hostile,
    columns: fc.integer({ min: 30, max: 90 }),
  })
  fc.assert(
    fc.property(written, ({ text, contact, quoted, emoji, earlier, columns }) => {
      const message: Message = {
        ...{ ...FROM_BOB, text, contact, replyTo: { ...QUESTION, mine: false, text: quoted } },
        ...{ editedAt: NOON, previous: [{ text: earlier, sentAt: NOON }] },
        reactions: [{ emoji, mine: false, at: NOON }],
      }
      const whole = messageRow(message, NOON, { edits: true })
      const notes = whole.split("\n").flatMap((each) => noteMargin(each) ?? [])
      expect(notes).toEqual(["      < ", "      > ", "      + "])
      const rows = wrap(whole, columns, MESSAGE_MARGIN).split("\n")
      const margins = rows.slice(1).map((each) => noteMargin(each) ?? each.slice(0, MESSAGE_MARGIN.length))
      const order = [MESSAGE_MARGIN, ...notes]
      expect(margins.every((margin) => order.includes(margin))).toBe(true)
      const ranks = margins.map((margin) => order.indexOf(margin))
      expect(ranks).toEqual([...ranks].sort((a, b) => a - b))
    }),
    { numRuns: 500 },
  )
})

test("a quote fits a row of 80 columns whatever it quotes, and does not grow with the text", () => {
  const text = "名".repeat(30_000)
  const [, quote = ""] = row({ contact: "名".repeat(40), replyTo: { ...QUESTION, mine: false, text } }).split(
    "\n",
  )
  expect(displayWidth(quote)).toBeLessThanOrEqual(80)
})

test("a time that no date can have is shown as the last one", () => {
  expect(formatTime(Number.MAX_SAFE_INTEGER, NOON)).toMatch(/^27576\d-09-1\d \d\d:\d\d$/)
})
